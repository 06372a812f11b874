/** Consents in place of a person who opens a link, presses the button there, and follows where it leads. Ends with code 1 unless that is a login. Usage: node consent.js <link> */
import { Person } from '../consent/person.js';

const person = new Person();
const page = await person.get(process.argv[2]!);
const end = await person.follow(await person.press(page, 'continue'));
if (!/<h1[^>]*>.* is connected<\/h1>/.test(end.text)) {
  process.stderr.write(`HTTP ${end.status} at ${end.url}: ${end.text}\n`);
  process.exitCode = 1;
}
