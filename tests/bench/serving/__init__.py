"""Our engine beside llama.cpp's own programs: `make bench-serving [ARGS="single four --quick"]`.

Both sides run the same GGUF files with the same number of threads on the same machine, in turn;
every figure is a median of several rounds, and out/bench/serving.json keeps each single value. A
time or rate is held against the other side's of the same round, and the median of these is told.
llama-server and llama-bench are built from the source that the pinned llama-cpp-python was built
from. Run it on a machine that does nothing else: two threads that wait for each other lose most of
their speed to a third.

Where things come from:
    ASSISTANT_BENCH_CACHE   a folder for source, programs and models (out/cache/llama.cpp; 8 GB)
    ASSISTANT_LLAMA_BIN     a folder with llama-server and llama-bench that exist already

Models: `starter` is the embedded one, its end tokens renamed so that it never stops; `1b` and `8b`
have the shapes of Llama-3.2-1B and Llama-3.1-8B in Q4_K_M with random weights (`shapes.py`);
`copying` costs as much as `1b` and copies text exactly (`copying.py`).

How each number is made (one client for all, `client.py`, which parses when all has come):
    single   `token_ms`: from the first text to the last, through sampling (temperature 0.8, top-k,
             top-p) and streaming, over tokens - 1; against llama-bench's decoding at the same
             depth. The prompt: tokens over the time from sending to the first text, against
             llama-bench's pp512. llama-bench runs once for each of our runs.
    four     four prompts sent together; all tokens over the time from the first request to the
             last text.
    shared   2,000 new tokens and four different tails, sent together; the latest first text. Our
             context holds the prefix once and the four tails and answers, llama-server's four
             times as much.
    inline   `priority: inline` at random moments of a chat. What is told is the time to its first
             text, less that of the same request on an idle server, in steps of the chat. Then one
             every five seconds while 4,000 tokens are evaluated.
    cancel   the connection is closed at a random moment of the first 20 s of a prompt; 0.3 s later
             begins the second in which the process's CPU clock is read twice. `ours at rest` is
             the same without a request.
    lookup   the whole time of a rewrite, its prompt included, with `lookup` and without; the text
             has to be the file with one word renamed. Free text: time a token.
    edit     the last character of 4,000 tokens changes: `timings.prompt_n` of the second request.
    waiting  (only when named) llama-bench under each way of waiting of OpenMP, in turn.

Options: `--models 1b,8b` (also for sections that measure fewer by default), `--runs`, `--tries`,
`--threads`, `--quick`. Sections can be run one by one: the file keeps the others' rows.
Everything takes some three hours on two cores; `cancel` is half of it.
"""
