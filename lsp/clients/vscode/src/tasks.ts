/** What can be asked for at a place in the code. */
import { commands, type ExtensionContext, languages, type Position, type Range, type TextEditor, window } from 'vscode';
import { ask } from './server';

type Extra = object | undefined;

/** Register a command for each task. */
export function registerTasks({ subscriptions }: ExtensionContext): void {
  const register = (task: string, extra: (editor: TextEditor) => Extra) => {
    const run = async () => {
      const editor = window.activeTextEditor;
      const more = editor && extra(editor);
      if (editor && more) {
        const { uri, version } = editor.document;
        await ask('generate', { task, uri: uri.toString(), version, range: plain(editor.selection), ...more });
      }
    };
    subscriptions.push(commands.registerCommand(`assistant.editor.${task}`, run));
  };
  ['implement', 'explain', 'tests', 'docstring', 'rewrite'].forEach((task) => register(task, () => ({})));
  register('fix', problemHere);
}

/** The place of the cursor, as the server's commands take it. */
export function here(): { uri: string; position: object } | undefined {
  const editor = window.activeTextEditor;
  return editor && { uri: editor.document.uri.toString(), position: place(editor.selection.active) };
}

function problemHere({ document, selection }: TextEditor): Extra {
  const problem = languages.getDiagnostics(document.uri).find(({ range }) => range.intersection(selection));
  if (!problem) {
    void window.showInformationMessage('Assistant: no problem is reported at the cursor.');
    return undefined;
  }
  const { message, code, range } = problem;
  return { diagnostic: { message, code: typeof code === 'object' ? code.value : code, range: plain(range) } };
}

/** As the protocol has it; the editor's own objects have more. */
const plain = ({ start, end }: Range) => ({ start: place(start), end: place(end) });
const place = ({ line, character }: Position) => ({ line, character });
