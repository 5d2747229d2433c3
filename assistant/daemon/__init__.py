"""The engine daemon: one process of a user that holds the model and answers over HTTP.

    lifecycle.py   lock, log, idle end, signals
    listening.py   the unix socket, the loopback port, and the file that tells where
    connection.py  one connection: who it is (peers.py), and the time it is given
    access.py      the gate: no web page, no program without the token, no body but JSON
    server.py      the routes that answer; views.py has those that only tell
    requests.py    what is asked, as JSON (controls.py, fields.py), checked field by field
    preparing.py   from there to what the engine can serve
    worker.py      the one thread that decodes; outbox.py brings its outputs back
    answers.py     how an answer leaves: events or one piece; a client that goes away cancels
    shapes.py      the JSON of answers, of OpenAI and llama-server (logprobs.py, reasoning.py)
    crashes.py     how often it died in a row

Clients find it in `assistant/client/`.
"""
