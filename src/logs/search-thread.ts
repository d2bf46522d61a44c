/** The thread that looks through logs. */
import { answerQuestions } from '../threads.ts';
import { withRanges } from '../tree/files.ts';
import { searchLog } from './search-log.ts';
import type { Question } from './searcher.ts';

answerQuestions(({ file, index, query, bounds }: Question) =>
  withRanges(file, (read) => searchLog(read, index, query, bounds)),
);
