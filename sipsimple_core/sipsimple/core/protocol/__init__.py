"""SIP's protocol machines without I/O: messages and the time in; messages, events and deadlines out."""
