/** Finds the program `assistant`. */
import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import * as path from 'node:path';
import { workspace } from 'vscode';

const WINDOWS = process.platform === 'win32';
const NAME = WINDOWS ? 'assistant.exe' : 'assistant';

/** The program, or undefined when it is at none of its places. */
export function findProgram(): string | undefined {
  const set = workspace.getConfiguration('assistant').get('path', '').trim().replace(/^~(?=[\\/])/, homedir());
  return (set ? [set] : usualPlaces()).find(isProgram);
}

/** In a folder that is not trusted nothing is started that lies in it. */
function usualPlaces(): string[] {
  const onPath = (process.env.PATH ?? '').split(path.delimiter).filter(path.isAbsolute);
  const folders = workspace.isTrusted ? workspace.workspaceFolders ?? [] : [];
  const scripts = WINDOWS ? 'Scripts' : 'bin';
  const own = folders.flatMap(({ uri }) => ['.venv', 'venv'].map((name) => path.join(uri.fsPath, name, scripts)));
  // pipx and uv put programs there; an editor that a desktop starts may not have it on its path.
  const personal = path.join(homedir(), '.local', 'bin');
  return [...onPath, ...own, personal].map((folder) => path.join(folder, NAME));
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
