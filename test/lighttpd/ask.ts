/** HTTP as a client writes it: nothing is normalized, followed or decoded. */
import { type Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import { type RequestOptions, request as requestTls } from 'node:https';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
}

export interface Question {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer;
  /** The address that is connected to; the default is 127.0.0.1. */
  readonly host?: string;
  /** The address that is connected from. */
  readonly from?: string;
  /** Whose connections are taken instead of one of its own. */
  readonly agent?: Agent;
  /** Over TLS, as these options say. */
  readonly tls?: RequestOptions;
}

const patienceMs = 20_000;

/** One request, on a connection of its own unless an agent is named. @param path as it goes over the wire */
export async function ask(
  port: number,
  path: string,
  { method = 'GET', headers, body, host = '127.0.0.1', from, agent, tls }: Question = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const send = tls === undefined ? request : requestTls;
    const asked = send(
      {
        host,
        port,
        path,
        method,
        headers: { ...headers },
        agent: agent ?? false,
        timeout: patienceMs,
        localAddress: from,
        ...tls,
      },
      (response) => {
        buffer(response).then(
          (bytes) =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: bytes,
              text: bytes.toString(),
            }),
          reject,
        );
      },
    );
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${patienceMs} ms`)));
    asked.on('error', reject);
    asked.end(body);
  });
}

/** Sends these bytes and returns all that comes back until the server closes. */
export async function askRaw(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = '';
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write(bytes));
    socket.setTimeout(patienceMs, () => socket.destroy(new Error(`no end within ${patienceMs} ms`)));
    socket.setEncoding('latin1').on('data', (chunk: string) => (heard += chunk));
    socket.on('error', (error) => (heard === '' ? reject(error) : resolve(heard)));
    socket.on('close', () => resolve(heard));
  });
}

/** Body of an error as the contract has it. */
export interface Fault {
  readonly error: string;
  readonly message: string;
  readonly id: string;
}

export function faultOf(answer: Pick<Answer, 'text'>): Fault {
  return JSON.parse(answer.text) as Fault;
}
