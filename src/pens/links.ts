/**
 * Where links of a log may lead: to http or https, to a file of this very build, or nowhere. Pure, and shared with the browser.
 * @see https://buildkite.com/docs/pipelines/configure/links-and-images-in-log-output
 */

const longestLink = 2048;
/** From the log's page to the files of its build. */
const ownArtifacts = '../../../artifacts/';
const ownScheme = 'artifact://';

/** @returns null for an address that nothing of ours should lead to */
export function safeLink(address: string): string | null {
  if (address.length > longestLink) return null;
  const own = ownArtifact(address);
  if (own !== null) return own;
  if (!/^https?:\/\//i.test(address) || !URL.canParse(address)) return null;
  const { href, username, password } = new URL(address);
  return username === '' && password === '' && href.length <= longestLink ? href : null;
}

/** An address of which `safeLink` makes this very link. */
export function addressOf(link: string): string {
  if (!link.startsWith(ownArtifacts)) return link;
  return ownScheme + link.slice(ownArtifacts.length).split('/').map(decodeURIComponent).join('/');
}

/** `artifact://<path>`, also with the `./` that people write before it. @returns null for anything else */
export function ownArtifact(address: string): string | null {
  const path = /^artifact:\/\/(.+)$/i.exec(address)?.[1];
  if (path === undefined) return null;
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.length === 0 || parts.includes('..') || !path.isWellFormed()) return null;
  return ownArtifacts + parts.map((part) => encodeURIComponent(part)).join('/');
}
