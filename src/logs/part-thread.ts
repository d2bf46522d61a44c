/** The thread that lays out parts of logs. */
import { answerQuestions } from '../threads.ts';
import { readPart } from './log-part.ts';

answerQuestions(readPart);
