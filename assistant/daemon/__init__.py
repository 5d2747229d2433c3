"""The engine daemon: one process of a user that holds the model and answers over HTTP.

    protocol.py   requests and answers as JSON, the dialect of OpenAI and llama-server
    worker.py     the one thread that decodes, and the queue in front of it
    server.py     the routes, on asyncio
    service.py    what the routes share
    answers.py    how an answer leaves: events or one piece; a client that goes away cancels
    lifecycle.py  lock, socket, log, idle end, signals
    crashes.py    how often it died in a row

Clients find it in `assistant/client/`.
"""
