"""The commands `sipsimple call`, `sipsimple answer` and `sipsimple devices`, for sipsimple-cli (the extra `cli`).

`call` and `answer` are the commands; what they have in common is in `options`, and `accounts` has whom they call as.
`phone` runs the call, in the main thread: what happens, the keys (`keys`) and the time limits; `talk` is the audio of a
call that is up, `ringing` the tones before it. `report` tells people and programs what happens, `screen` shows it on
a terminal, and `outcome` says with which exit code it all ends.
"""
