"""The audio engine that is made of pjsua2: RTP, SRTP, ICE and codecs, in processes of their own.

pjsua2 (the distribution pjsua2-python, the extra `sipsimple-audio[pjsua2]`) is under the GPL. It is imported in these
processes only: by their program, `child`, and its `stream` and `port`, a call and the frames of its audio. There,
pjsua2 calls and is called by a `partner` of ours. On the side of the application, `engine` starts and stops them, each
a `process`, which speaks with its child over a `channel`.
"""
