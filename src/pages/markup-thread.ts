/** The thread that lays out Markdown and JSON. */
import { answerQuestions } from '../threads.ts';
import type { MarkupAnswer, MarkupQuestion } from './markup-renderer.ts';
import { renderJson } from './view-json.ts';
import { renderMarkdown } from './view-markdown.ts';

/** More than this no browser shows within a second. */
const longestMarkup = 4 * 1024 * 1024;

answerQuestions(({ kind, text }: MarkupQuestion): MarkupAnswer => {
  const found = kind === 'json' ? renderJson(text) : renderMarkdown(text);
  if (found === null) return { unfit: 'unreadable' };
  return found.text.length > longestMarkup ? { unfit: 'costly' } : { markup: found.text };
});
