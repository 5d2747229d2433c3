/** What can be looked up and chosen: status, reasons, context, doctor, models. */
import { commands, EventEmitter, type ExtensionContext, Uri, window, workspace } from 'vscode';
import { ask, showLog } from './server';
import { describe, type Status } from './status';
import { here } from './tasks';

type Reasons = { reasons: { when: number; line: number; reason: string }[]; status: Status };
type Model = {
  name: string; size: number; here: boolean; fits: boolean; roles: string[]; current: boolean; note: string;
};

const texts = new Map<string, string>();
const changed = new EventEmitter<Uri>();

/** Register the commands. */
export function registerLookups({ subscriptions, extension }: ExtensionContext): void {
  const own = (name: string, run: () => unknown) =>
    subscriptions.push(commands.registerCommand(`assistant.editor.${name}`, run));
  const run = (command: string, ...given: unknown[]) => () => commands.executeCommand(command, ...given);
  const provider = { onDidChange: changed.event, provideTextDocumentContent: (uri: Uri) => texts.get(uri.path) };
  subscriptions.push(workspace.registerTextDocumentContentProvider('assistant-text', provider));

  own('status', () => look<Status>('status', {}, describe));
  own('doctor', () => look<{ text: string }>('doctor', {}, ({ text }) => text));
  own('context', () => look<{ text: string }>('context', here(), ({ text }) => text));
  own('why', () => look<Reasons>('why', { uri: here()?.uri }, ({ reasons, status }) => {
    const said = reasons.map(({ when, line, reason }) => `- ${time(when)}, line ${line + 1}: ${reason}`);
    return `${describe(status)}\n\n${said.join('\n') || 'No suggestion was kept back here so far.'}\n`;
  }));
  own('model', async () => {
    const { name, roles } = (await chosenModel('Which model?', () => true)) ?? { name: '', roles: [] };
    const role = roles.length > 1 ? await window.showQuickPick(roles, { placeHolder: `${name} for` }) : roles[0];
    await (role && ask('selectModel', { name, role }));
  });
  own('download', async () => {
    const chosen = await chosenModel('Download which model?', ({ here }) => !here);
    await (chosen && ask('download', { name: chosen.name }));
  });
  own('log', showLog);
  own('settings', run('workbench.action.openSettings', `@ext:${extension.id}`));
  own('walkthrough', run('workbench.action.openWalkthrough', `${extension.id}#start`, false));
  own('menu', async () => {
    const all: { title: string; command: string }[] = extension.packageJSON.contributes.commands;
    const items = all.map(({ title, command }) => ({ label: title, command }));
    const chosen = await window.showQuickPick(items, { placeHolder: 'Assistant' });
    await (chosen && commands.executeCommand(chosen.command));
  });
}

const time = (seconds: number) => new Date(seconds * 1000).toLocaleTimeString();

/** Show an answer of the server's as a text that can not be changed. */
async function look<Answer>(command: string, given: object | undefined, text: (answer: Answer) => string) {
  const answer = given && (await ask<Answer>(command, given));
  if (answer) {
    const uri = Uri.from({ scheme: 'assistant-text', path: `/${command}.md` });
    texts.set(uri.path, text(answer));
    changed.fire(uri);
    await window.showTextDocument(await workspace.openTextDocument(uri), { preview: true });
  }
}

async function chosenModel(placeHolder: string, wanted: (model: Model) => boolean): Promise<Model | undefined> {
  const models = (await ask<{ models: Model[] }>('models', {}))?.models.filter(wanted);
  const items = models?.map((model) => {
    const where = model.current ? 'in use' : model.here ? 'here' : 'to download';
    const words = [`${(model.size / 1e9).toFixed(1)} GB`, where, !model.fits && 'too large for here', model.note];
    return { ...model, label: model.name, description: words.filter(Boolean).join(', ') };
  });
  return items && window.showQuickPick(items, { placeHolder });
}
