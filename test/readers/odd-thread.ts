/** A thread that does what a report made for it would have one do. */
import { answerQuestions } from '../../src/threads.ts';

const held: number[][] = [];

answerQuestions((question: string) => {
  if (question === 'loops') while (true) held.length = 0;
  if (question === 'grows') while (true) held.push(Array.from({ length: 100_000 }, Math.random));
  if (question === 'throws') throw new Error('this cannot be answered');
  if (question === 'leaves') process.exit(3);
  return question.toUpperCase();
});
