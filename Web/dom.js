// Elements and texts. Whatever the daemon sends becomes text, never markup.

export const $ = id => document.getElementById(id);

/** Control characters, and those that change the direction of text, as visible escapes. */
export function safe(text) {
  return String(text).replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    one => `\\u${one.codePointAt(0).toString(16).padStart(4, '0')}`);
}

/** An element with text or children, whose names are attributes; `class` included. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) {
      element.setAttribute(key, value);
    }
  }

  for (const child of children) {
    element.append(child instanceof Node ? child : document.createTextNode(child));
  }

  return element;
}

/** Foreign text, isolated in its direction. */
export const foreign = text => make('bdi', {}, safe(text));

/** A table that narrow screens show as cards; cells are nodes or texts. */
export function table(caption, columns, rows) {
  const body = make('tbody', { role: 'rowgroup' });
  const element = make('table', { role: 'table', 'aria-label': caption },
    make('thead', { role: 'rowgroup' }, make('tr', { role: 'row' },
      ...columns.map(column => make('th', { role: 'columnheader', scope: 'col', class: column.number ? 'number' : undefined }, column.title)))),
    body);
  addRows(element, columns, rows);
  return element;
}

export function addRows(element, columns, rows) {
  element.tBodies[0].append(...rows.map(row => make('tr', { role: 'row' }, ...columns.map((column, i) => {
    const cell = make('td', { role: 'cell', 'data-label': column.title, class: column.number ? 'number' : undefined });
    const value = row[i];
    if (value !== null && value !== undefined && value !== '') {
      cell.append(value instanceof Node ? value : safe(value));
    }

    return cell;
  }))));
}

const grouped = new Intl.NumberFormat('en');
export const count = value => grouped.format(value);

export function rate(value) {
  const units = ['', 'k', 'M', 'G'];
  let unit = 0;
  for (; value >= 999.5 && unit < 3; unit++) {
    value /= 1000;
  }

  return (unit === 0 ? value.toFixed(0) : value.toFixed(1)) + units[unit];
}

export const moment = seconds => new Date(seconds * 1000).toLocaleString('sv');

/** Asks in a dialog; true when the user confirms. */
export function ask(question, word) {
  const dialog = $('ask');
  $('ask-text').textContent = safe(question);
  $('ask-yes').textContent = word;
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise(done => dialog.addEventListener('close', () => done(dialog.returnValue === 'yes'), { once: true }));
}
