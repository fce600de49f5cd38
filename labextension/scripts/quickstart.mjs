// The quickstart notebook without its outputs, and the tables it reads, as a module: the extension
// has no other way to the files of the Python package.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';

const NAME = '01-quickstart.ipynb';
const notebooks = fileURLToPath(new URL('../../notebooks/', import.meta.url));
const target = fileURLToPath(
  new URL('../src/generated/quickstart.ts', import.meta.url)
);

const notebook = JSON.parse(readFileSync(notebooks + NAME, 'utf8'));
for (const cell of notebook.cells) {
  if (cell.cell_type === 'code') {
    cell.outputs = [];
    cell.execution_count = null;
    cell.metadata = {};
  }
}
const tables = Object.fromEntries(
  readdirSync(`${notebooks}data`)
    .filter(name => name.endsWith('.csv'))
    .sort()
    .map(name => [
      `data/${name}`,
      readFileSync(`${notebooks}data/${name}`, 'utf8')
    ])
);
const source = `// Made by scripts/quickstart.mjs of notebooks/${NAME}.
export const NAME = ${JSON.stringify(NAME)};
export const NOTEBOOK = ${JSON.stringify(JSON.stringify(notebook))};
export const TABLES: Readonly<Record<string, string>> = ${JSON.stringify(tables)};
`;
mkdirSync(fileURLToPath(new URL('../src/generated/', import.meta.url)), {
  recursive: true
});
const options = await resolveConfig(target);
writeFileSync(target, await format(source, { ...options, filepath: target }));
