/** The thread that reads reports. */
import { answerQuestions } from '../threads.ts';
import { parseCobertura, parseLcov } from './coverage.ts';
import { parseJunit } from './junit.ts';
import type { ReportQuestion } from './report-reader.ts';

const parsers = { junit: parseJunit, lcov: parseLcov, cobertura: parseCobertura };

answerQuestions(({ format, bytes }: ReportQuestion) => parsers[format](new TextDecoder().decode(bytes)));
