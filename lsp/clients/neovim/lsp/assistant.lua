-- Configuration of the language server for `vim.lsp.enable('assistant')`.
-- Change it with `vim.lsp.config('assistant', { ... })`; see `:help assistant-config`.
local MARKERS = { 'pyproject.toml', 'setup.py', 'setup.cfg', 'package.json', 'Cargo.toml', 'go.mod', '.git' }

--- Apply an edit only to the version that it was made for, and tell the server when it was not.
--- Neovim 0.12 by itself answers "applied" either way, and does not look at the version of a buffer
--- that was not changed since it was opened (its version is 0).
local function apply_edit(failure, params, context)
  for _, change in ipairs(params.edit.documentChanges or {}) do
    local document = change.textDocument
    local version = document and vim.lsp.util.buf_versions[vim.uri_to_bufnr(document.uri)]
    if document and type(document.version) == 'number' and document.version ~= version then
      local reason = ('the buffer is at version %s, not %s'):format(version, document.version)
      return { applied = false, failureReason = reason }
    end
  end
  return vim.lsp.handlers['workspace/applyEdit'](failure, params, context)
end

--- A handler in one of our modules, loaded when it is needed.
local function handler(module, name)
  return function(...) return require(module)[name](...) end
end

---@type vim.lsp.Config
return {
  cmd = { 'assistant', 'lsp' },
  -- Every file, whatever its language; Neovim by itself would attach to help pages, too.
  root_dir = function(buffer, attach)
    if vim.bo[buffer].buftype == '' and vim.api.nvim_buf_get_name(buffer) ~= '' then
      attach(vim.fs.root(buffer, MARKERS))
    end
  end,
  -- Without ghost text (Neovim 0.11) a suggestion is among the completions: <C-x><C-o>.
  init_options = { completion = vim.fn.has('nvim-0.12') == 0 },
  capabilities = {
    -- Of annotations Neovim 0.12 makes a message that waits for a key.
    workspace = {
      workspaceEdit = { documentChanges = true, changeAnnotationSupport = vim.NIL },
      textDocumentContent = vim.empty_dict(),
    },
    experimental = { assistant = { status = true, events = true } },
  },
  commands = { ['assistant.generate'] = handler('assistant', 'generate') },
  handlers = {
    ['workspace/applyEdit'] = apply_edit,
    ['workspace/textDocumentContent/refresh'] = handler('assistant.view', 'on_refresh'),
    ['window/showDocument'] = handler('assistant.view', 'on_show'),
    ['assistant/status'] = handler('assistant', 'on_status'),
    ['assistant/proposals'] = handler('assistant.proposals', 'on_proposals'),
    ['assistant/event'] = handler('assistant.proposals', 'on_event'),
  },
}
