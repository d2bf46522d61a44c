-- Sends one file with everything that belongs to it: type, validator, conditions, caching, what it may do in a browser.

-- Nothing of upstream's may run a script, send a form, open a window or be framed elsewhere. `allow-same-origin` alone
-- gives no power without scripts, and a report without it could not load its own style sheets and pictures.
local untrusted = "sandbox allow-same-origin allow-downloads; default-src 'none'; img-src 'self' data:; "
  .. "style-src 'self' 'unsafe-inline'; font-src 'self' data:; media-src 'self' data:; frame-src 'self'; "
  .. "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
local immutable = "private, max-age=31536000, immutable"
-- Quarantine takes the permission to read from all; root would be let through by the system. (From 1.4.72 on Lighttpd
-- only looks again at a file it holds when size or time differ, so the time must be changed with it.)
local readable = tonumber("444", 8)
local kind, regular = 0xf000, 0x8000

-- What is kept in memory, in bytes: of one file, and of all.
local largest, most = 16 * 1024, 8 * 1024 * 1024

-- Strong comparison for If-Match, weak for If-None-Match; our own ETags are always strong and hold no comma.
local function lists(header, etag, weak)
  if header == "*" then return true end
  for prefix, tag in header:gmatch('(W?/?)("[^"]*")') do
    if tag == etag and (weak or prefix == "") then return true end
  end
  return false
end

-- true: at least one range lies within. false: none does. nil: not a range that we know, to be ignored.
local function satisfiable(header, size)
  local list = header:match("^[Bb][Yy][Tt][Ee][Ss]=(.+)$")
  if not list then return nil end
  local found = false
  for part in list:gmatch("[^,]+") do
    local first, last = part:match("^%s*(%d*)%-(%d*)%s*$")
    if not first or #first > 18 or #last > 18 or (first == "" and last == "") then return nil end
    local from, to = tonumber(first), tonumber(last)
    if from and to and to < from then return nil end
    if from and from < size or not from and to > 0 then found = true end
  end
  return found
end

return function(lighty, answers)
  local r, stat = lighty.r, lighty.stat
  local request, response = r.req_header, r.resp_header
  local files = { untrusted = untrusted }

  -- Bytes of small files, by their table of what is known of them.
  local kept, bytes = {}, 0

  -- Lighttpd holds the open file, so these are the facts of the very bytes that go out. `known` remembers the text.
  local function etag_of(st, known)
    local inode, size, seconds, nanoseconds = st.st_ino, st.st_size, st.st_mtim()
    if known.inode ~= inode or known.size ~= size or known.seconds ~= seconds or known.nanoseconds ~= nanoseconds then
      known.inode, known.size, known.seconds, known.nanoseconds = inode, size, seconds, nanoseconds
      known.etag = string.format('"%x-%x-%x.%x"', inode, size, seconds, nanoseconds)
      kept[known] = nil
    end
    return known.etag, size
  end

  -- `range`: the header's, or nil.
  local function conditional(etag, size, range)
    local match = request["If-Match"]
    if match and not lists(match, etag, false) then
      return answers.fail(412, "ERR_PRECONDITION_FAILED", "the file is not the one that If-Match names")
    end
    local known = request["If-None-Match"]
    if known and lists(known, etag, true) then
      r.resp_body.set("")
      return 304
    end
    if not range or size == 0 then return 200 end
    local condition = request["If-Range"]
    if condition and condition ~= etag then
      request["Range"] = nil
      return 200
    end
    local can = satisfiable(range, size)
    if can == nil then request["Range"] = nil end
    if can ~= false or answers.method ~= "GET" then return 200 end
    response["Content-Range"] = "bytes */" .. size
    return answers.fail(416, "ERR_RANGE_UNSATISFIABLE", "the file ends before the range that was asked for")
  end

  local function complete(etag, policy, cache)
    response["X-Request-Id"], response["Cache-Control"] = answers.id, cache
    response["ETag"], response["Content-Security-Policy"] = etag, policy
  end

  -- A small file that cannot change any more was looked at within this second: it goes out once more, without asking the
  -- system, which costs more than all else. nil: it is to be looked at. All other files are, for each request.
  local function send_kept(policy, known)
    local body = known.settled_at == answers.now and kept[known]
    if not body or answers.method ~= "GET" or request["Range"] then return nil end
    local status = conditional(known.etag, #body, nil)
    if status >= 400 then return status end
    if status == 200 then
      response["Content-Type"], response["Accept-Ranges"] = known.type, "bytes"
      r.resp_body.set(body)
    end
    complete(known.etag, policy, immutable)
    return status
  end

  -- Worth it from the second time within a second on. What is read is this very file, if it still lies there afterwards.
  local function keep(path, size, known)
    local now = answers.now
    if known.settled_at == now and size > 0 and size <= largest and not kept[known] then
      local etag, file = known.etag, io.open(path, "rb")
      local body = file and file:read(size + 1)
      if file then file:close() end
      local st = stat(path)
      if not body or #body ~= size or not st or etag_of(st, known) ~= etag then return end
      if bytes + size > most then kept, bytes = {}, 0 end
      kept[known], bytes, known.type = body, bytes + size, st["content-type"]
    end
    known.settled_at = now
  end

  -- `policy`: files.untrusted or answers.page_policy(). `settled`: path of the marker that makes it immutable, or nil.
  -- `known`: a table to remember its ETag in, or nil. `derived`: the file is one that we made and that is never empty: where
  -- it is, a power cut took what was in it, and it counts as none. Returns nil where there is no such file. No other stat may come
  -- between the stat and the last use of `st`: it can free what `st` points to.
  function files.send(path, policy, settled, known, derived)
    known = known or {}
    local status = known.settled_at and send_kept(policy, known)
    if status then return status end
    local st = stat(path)
    local mode = st and st.st_mode or 0
    if mode & kind ~= regular or mode & readable == 0 or derived and st.st_size == 0 then return nil end
    -- There is no Last-Modified: a file that replaces another may be the older one, within one second too.
    if request["If-Modified-Since"] then request["If-Modified-Since"] = nil end
    local sent = st["http-response-send-file"]
    if sent == 404 then return nil end
    if sent ~= 200 then
      response["Retry-After"] = "2"
      return answers.fail(503, "ERR_TREE_UNREADABLE", "the file is there but cannot be opened now")
    end
    local etag, size = etag_of(st, known)
    status = conditional(etag, size, request["Range"])
    if status >= 400 then return status end
    -- Looked at last: a job that is being changed loses its marker before its files change.
    local is_settled = settled and stat(settled)
    response["Last-Modified"] = nil
    complete(etag, policy, is_settled and immutable or "no-cache")
    if is_settled then keep(path, size, known) else known.settled_at = nil end
    return status
  end

  function files.is_file(path)
    local st = stat(path)
    return st ~= nil and st.is_file
  end

  function files.is_folder(path)
    local st = stat(path)
    return st ~= nil and st.is_dir
  end

  -- The first line of a small file of ours, or nil.
  function files.first_line(path)
    local file = io.open(path, "rb")
    if not file then return nil end
    local line = file:read("l")
    file:close()
    return line
  end

  return files
end
