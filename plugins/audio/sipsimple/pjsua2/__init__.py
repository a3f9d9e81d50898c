"""The audio engine that is made of pjsua2: RTP, SRTP, ICE and codecs, in processes of their own.

pjsua2 (the distribution pjsua2-python, the extra `sipsimple-audio[pjsua2]`) is under the GPL. It is imported by
`child` only, which is the program of these processes; `engine` starts and stops them, each a `process`, which speaks
with its child over a `channel`. In the child, pjsua2 calls and is called by a `partner` of ours.
"""
