/** Starts the language server, and asks it: all that knows code, models or edits is in there. */
import { commands, type Disposable, window, workspace } from 'vscode';
import { LanguageClient, type LanguageClientOptions, RevealOutputChannelOn, State } from 'vscode-languageclient/node';
import { findProgram } from './program';
import { showReasoning } from './proposals';

const OPTIONS: LanguageClientOptions = {
  documentSelector: [{ scheme: 'file' }, { scheme: 'untitled' }],
  initializationOptions: () => workspace.getConfiguration().get('assistant'),
  // What a person has to know is a message; the log is for whoever asks for it.
  revealOutputChannelOn: RevealOutputChannelOn.Never,
  initializationFailedHandler: () => false,
  middleware: {
    async executeCommand(command, given, next) {
      said?.dispose();
      // The palette and the light bulb come here alike, without the words that only a person has.
      if (command === 'assistant.generate' && given[0]?.task === 'rewrite') {
        if (!(given[0].instruction ||= await window.showInputBox({ prompt: 'What should be different?' }))) return undefined;
      }
      const answer = await next(command, given);
      tell(answer ?? {});
      return answer;
    },
    window: {
      async showDocument(params, token, next) {
        const ours = params.uri.startsWith('assistant:');
        await (ours && showReasoning(params.uri, !params.takeFocus));
        return ours ? { success: true } : next(params, token);
      },
    },
  },
};

/** The library's own messages go to the log: one of ours says what can be done. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

let client: LanguageClient | undefined;
let said: Disposable | undefined;

/** Start it, or start it again; one message when the program is not there. */
export async function startServer(listen: (client: LanguageClient) => void): Promise<void> {
  await stopServer();
  const command = findProgram();
  if (!command) {
    return void complain();
  }
  const run = { command, args: ['lsp'], options: { cwd: workspace.workspaceFolders?.[0]?.uri.fsPath } };
  client = new QuietClient('assistant', 'Assistant', { run, debug: run }, OPTIONS);
  client.registerFeature({
    // These are the server's own notifications that we understand.
    fillClientCapabilities(capabilities) {
      capabilities.experimental = { ...capabilities.experimental, assistant: { status: true, events: true } };
    },
    initialize: () => undefined,
    getState: () => ({ kind: 'static' }),
    clear: () => undefined,
  });
  listen(client);
  await client.start().catch(() => void complain());
}

/** Stop it, if it runs. */
export async function stopServer(): Promise<void> {
  const old = client;
  client = undefined;
  await old?.dispose().catch(() => undefined);
}

/** Run a command of the server; undefined, and a message, when there is no answer. */
export async function ask<Answer>(command: string, argument: object): Promise<Answer | undefined> {
  if (client?.state === State.Running) {
    return commands.executeCommand<Answer>(`assistant.${command}`, argument);
  }
  return void complain();
}

/** Show what it has written to its log. */
export const showLog = () => client?.outputChannel.show(true);

type Verdict = { outcome: string; detail: string };
type Outcome = { state?: string; verdict?: Verdict | null; uri?: string | null; reason?: string };

/** What came of a command; most of what was refused the server says itself. */
function tell({ state, verdict, uri, reason }: Outcome): void {
  if (state === 'offered') {
    const checked = verdict ? `${verdict.outcome}: ${verdict.detail}` : 'not checked';
    said = window.setStatusBarMessage(`$(lightbulb) Ctrl+Alt+Enter takes it (${checked})`, 15_000);
  } else if (reason && (uri === null || verdict === null)) {
    void window.showInformationMessage(reason);
  }
}

async function complain(): Promise<void> {
  const [why, buttons]: [string, Record<string, string>] = findProgram()
    ? ['The language server does not run', { Restart: 'restart', 'Show the log': 'log' }]
    : ['There is no program "assistant" at its usual places or where assistant.path says',
        { 'How to install': 'walkthrough', 'Set its path': 'settings' }];
  const chosen = await window.showErrorMessage(`${why}.`, ...Object.keys(buttons));
  await (chosen && commands.executeCommand(`assistant.editor.${buttons[chosen]}`));
}
