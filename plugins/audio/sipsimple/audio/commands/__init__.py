"""The commands `sipsimple call`, `sipsimple answer` and `sipsimple devices`, for sipsimple-cli (the extra `cli`).

`call` and `answer` are the commands, with what they have in common in `options`. `phone` runs a call, in the main
thread: what happens, the keys and the time limits; `caller` and `answerer` have what differs. `talk` is the audio of a
call that is up, `controls` what `keys` do to it, `ringing` the tones before it. `report` tells people and programs what
happens, `screen` shows it on a terminal, and `outcome` says with which exit code it all ends.
"""
