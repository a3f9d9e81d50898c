"""SIP's protocol machines without I/O: messages and the time go in, messages, events and deadlines come out."""
