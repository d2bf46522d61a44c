/** The budget's counters as Redis changes them: one script, so that no two workers ever see half of a change. */

/** What one call of the script is told, as its first argument in JSON. */
export interface Exchange {
  /** The part of each limit that is ours. */
  readonly share: number;
  /** How long a window is taken to be until an answer tells, in ms. */
  readonly window: number;
  /** Points that were answered since the last call, and points that were granted and not used. */
  readonly answered: number;
  readonly unused: number;
  /** Points that are wanted, and how many make one request: parts of one are of no use. */
  readonly wanted: number;
  readonly each: number;
  readonly class: string;
  /** The parts of ours that are left to others when a window begins and when it ends. */
  readonly reserve: number;
  readonly floor: number;
  /** The part that this class has in each window whatever others want, and those of the others. */
  readonly least: number;
  readonly others: Readonly<Record<string, number>>;
  /** For each key: the limit to begin with, and what the answers said (`reset` in ms). */
  readonly scopes: readonly {
    readonly limit: number;
    readonly told?: { readonly limit: number; readonly remaining: number; readonly reset: number };
  }[];
}

/** What it answers: points that may be spent now; for how long the rest waits (ms). */
export interface Granted {
  readonly granted: number;
  readonly waitMs: number;
  /** No scope has a limit at all. */
  readonly isFree: boolean;
  /** An answer that is under way will tell more. */
  readonly isGuess: boolean;
}

export function readGrant(answer: unknown): Granted {
  const [granted = 0, waitMs = 0, free = 0, guess = 0] = (answer as unknown[]).map(Number);
  return { granted, waitMs, isFree: free === 1, isGuess: guess === 1 };
}

/*
 * A scope's hash: limit, remaining (as upstream last said), flying (sent, not answered), spent (ours, this window), ends (ms),
 * guessed (1: no answer in this window yet), window (ms), probed (when the only request was sent that is to tell what is left),
 * and of each class got:<class> (this window) and waits:<class> (until when it counts as waiting).
 * The time is Redis' own, which all workers share.
 */
export const exchangeScript = `
local ask = cjson.decode(ARGV[1])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local got, waits = 'got:' .. ask.class, 'waits:' .. ask.class
local granted, wait, unlimited, guess, states = ask.wanted, 0, 1, 0, {}
for i, key in ipairs(KEYS) do
  local scope = ask.scopes[i]
  local s = { limit = scope.limit, flying = 0, spent = 0, ends = 0, guessed = 0, probed = 0, window = ask.window }
  local fields = redis.call('HGETALL', key)
  for at = 1, #fields, 2 do s[fields[at]] = tonumber(fields[at + 1]) end
  s.remaining = s.remaining or s.limit
  s.flying = math.max(0, s.flying - ask.answered - ask.unused)
  s.spent = math.max(0, s.spent - ask.unused)
  s[got] = math.max(0, (s[got] or 0) - ask.unused)
  if scope.told then
    local left, reset = scope.told.remaining, scope.told.reset
    local ends = now + math.min(reset, 2 * ask.window)
    local slack = math.min(1500, ask.window / 4)
    -- The first answer in a window tells how long it is: what is left to others goes by that.
    if s.guessed == 1 and reset > 0 then s.window = reset end
    if ends > s.ends + slack then
      s.spent, s.ends = math.min(s.spent, s.flying + ask.answered), ends
    elseif left == 0 or ends < s.ends - slack then s.ends = ends
    else s.ends = math.max(s.ends, ends) end
    s.limit, s.remaining, s.guessed, s.probed = scope.told.limit, left, 0, 0
  end
  -- When a new window ends is a guess until the first answer in it. One that ends so late is of a clock that was set back.
  if now >= s.ends or s.ends > now + 2 * ask.window then
    -- So long after the last one people may have spent anything in the window that is now: one request finds out.
    local isUnknown = now >= s.ends + ask.window or s.ends > now
    s.remaining, s.flying, s.spent, s.ends, s.guessed, s.probed = s.limit, 0, 0, now + ask.window, 1, isUnknown and now or 0
    for name in pairs(s) do if string.sub(name, 1, 4) == 'got:' then s[name] = 0 end end
  end
  local ours = math.max(1, math.floor(s.limit * ask.share))
  local kept = math.max(math.ceil(ours * ask.floor), math.floor(ours * ask.reserve * math.min(1, (s.ends - now) / s.window)))
  -- Where so little is ours that nothing would be left, nothing is kept.
  if kept >= ours then kept = 0 end
  local promised = 0
  for name, part in pairs(ask.others) do
    if now < (s['waits:' .. name] or 0) then
      promised = promised + math.max(0, math.ceil(ours * part) - (s['got:' .. name] or 0))
    end
  end
  local own = math.min(ours - s.spent, math.ceil(ours * ask.least) - s[got])
  local free = math.max(0, math.min(math.max(own, ours - kept - promised - s.spent), s.remaining - s.flying))
  if s.probed > 0 and now < s.probed + 2000 then
    free, guess = s.flying == 0 and math.min(free, ask.each) or 0, 1
  end
  if s.limit < 1e9 then unlimited = 0 end
  if free < ask.wanted then
    -- When enough of what is kept for others will have been let go, or when the window ends.
    local later = s.ends - now
    if kept > 0 and s.spent < ours and s.remaining - s.flying >= 1 then later = math.min(later, math.ceil(s.window / (ours * ask.reserve))) end
    if s.guessed == 1 then later = math.min(later, 250) end
    wait = math.max(wait, later)
  end
  granted = math.min(granted, free)
  states[i] = s
end
granted = granted - granted % ask.each
for i, key in ipairs(KEYS) do
  local s = states[i]
  s.flying, s.spent, s[got] = s.flying + granted, s.spent + granted, s[got] + granted
  if s.probed > 0 and granted > 0 then s.probed = now end
  if ask.wanted > 0 then s[waits] = granted < ask.wanted and now + ask.window or 0 end
  local fields = {}
  for name, value in pairs(s) do fields[#fields + 1], fields[#fields + 2] = name, value end
  redis.call('HSET', key, unpack(fields))
  redis.call('PEXPIRE', key, 86400000)
end
return { granted, wait, unlimited, guess }`;
