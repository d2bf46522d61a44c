/** The thread that lays out Markdown. */
import { answerQuestions } from '../threads.ts';
import { renderMarkdown } from './view-markdown.ts';

/** More than this no browser shows within a second. */
const longestMarkup = 4 * 1024 * 1024;

answerQuestions((text: string): string | null => {
  const { text: markup } = renderMarkdown(text);
  return markup.length > longestMarkup ? null : markup;
});
