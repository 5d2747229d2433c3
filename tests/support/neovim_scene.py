"""What the tests of a real Neovim share: a text, an answer, and what the plugin shows."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.neovim import Neovim

TEXT = """\
SMILE = "😀"; x = 1


class Shop:
	def total(self, prices):
		\"\"\"Sum of the prices. 😀\"\"\"


y = 2
"""
BODY = """\
		result = 0
		for price in prices:
			result += price
		return result
"""
FILLED = TEXT.replace('😀"""\n', '😀"""\n' + BODY)
ANSWER = """\
## Intent
The prices are to be added.
## Steps
1. Add them one by one.
## Formulas
None
## Edge cases
- no prices: 0
## Code
```python
def total(self, prices):
    \"\"\"Sum of the prices.\"\"\"
    result = 0
    for price in prices:
        result += price
    return result
```
"""
NOTHING_PENDING = "vim.fn.maparg('<M-y>', 'n') == ''"
UNDO_STEPS = "return vim.fn.undotree().seq_cur"

Open = Callable[..., Neovim]


def page(editor: Neovim) -> str:
    """What the window for reading shows; empty when there is none."""
    found: str = editor.lua(
        "for _, window in ipairs(vim.api.nvim_list_wins()) do\n"
        "  if vim.w[window].assistant then\n"
        "    local buffer = vim.api.nvim_win_get_buf(window)\n"
        "    return table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, false), '\\n')\n"
        "  end\n"
        "end\n"
        "return ''"
    )
    return found


def run(editor: Neovim, command: str) -> None:
    editor.lua(f"vim.cmd('{command}')")


def offered(editor: Neovim) -> str:
    """Wait for the offer; what is shown of it."""
    editor.until(lambda: "<M-y> accept" in editor.preview())
    return editor.preview()
