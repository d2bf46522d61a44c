-- The grants that the gateway writes (src/identity/grants.ts), read again when they change. A file that is cut short,
-- unreadable or gone leaves the last good one in force; how long, lighttpd/identity.lua decides by its time.

local function split(line)
  local parts, from = {}, 1
  while true do
    local at = line:find("\t", from, true)
    parts[#parts + 1] = line:sub(from, at and at - 1)
    if not at then return parts end
    from = at + 1
  end
end

local function empty()
  return { always = {}, bound = {}, decided = setmetatable({}, { __mode = "k" }) }
end

local function read_rule(parts)
  local rule = { organization = parts[3], pipeline = parts[4] ~= "" and parts[4] or nil, id = parts[5] ~= "" and parts[5] or nil }
  if parts[6] == "of" then rule.branches = table.move(parts, 7, #parts, 1, {}) end
  return rule
end

local function parse(text, hexdec)
  if text:sub(1, 20) ~= "kitemirror-grants 1\n" then error("it does not begin as grants do") end
  if text:sub(-5) ~= "\nend\n" then error("it is cut short") end
  local found = { keys = {}, subjects = {}, tokens = {}, revoked = {}, publics = {}, everyone = empty() }
  local rules, ranges = {}, {}
  local function refer(parts, first)
    local grants = empty()
    for i = first, #parts do
      local rule, range = parts[i]:match("^(%d+)@?(%d*)$")
      rule = rules[rule] or error("a rule is missing")
      if range == "" then grants.always[#grants.always + 1] = rule
      else grants.bound[#grants.bound + 1] = { rule, ranges[range] or error("a range is missing") } end
    end
    return grants
  end
  local read = {
    time = function(parts) found.time, found.writing = tonumber(parts[2]), parts[3] end,
    before = function(parts) found.before = tonumber(parts[2]) end,
    key = function(parts) found.keys[parts[2]] = hexdec(parts[3]) end,
    rule = function(parts) rules[parts[2]] = read_rule(parts) end,
    ranges = function(parts) ranges[parts[2]] = table.move(parts, 3, #parts, 1, {}) end,
    everyone = function(parts) found.everyone = refer(parts, 2) end,
    public = function(parts)
      found.publics[#found.publics + 1] = { rule = rules[parts[2]], paths = table.move(parts, 3, #parts, 1, {}) }
    end,
    subject = function(parts)
      found.subjects[parts[2]] = {
        id = parts[2], kind = parts[3], since = tonumber(parts[4]), name = parts[5], issuer = parts[6], grants = refer(parts, 7),
      }
    end,
    token = function(parts)
      local made = tonumber(parts[6]) or error("it does not say when a token was made")
      found.tokens[parts[2]] = { sha256 = parts[3], expires = tonumber(parts[4]), subject = parts[5], made = made }
    end,
    revoked = function(parts) found.revoked[parts[2]] = true end,
  }
  for line in text:sub(21, -5):gmatch("[^\n]+") do
    local parts = split(line)
    local reader = read[parts[1]] or error("a line begins with what is not known")
    reader(parts)
  end
  if not found.time or not found.before then error("it has no time") end
  return found
end

return function(lighty, path)
  local c, stat = lighty.c, lighty.stat
  local grants, version, refused, looked_at = nil, nil, nil, 0

  local function version_of()
    local st = stat(path)
    if not st then return "gone" end
    local seconds, nanoseconds = st.st_mtim()
    return st.st_ino .. ":" .. st.st_size .. ":" .. seconds .. "." .. nanoseconds
  end

  local function read()
    local now = version_of()
    if now == version or now == refused then return end
    local done, result = pcall(function()
      local file = assert(io.open(path, "rb"))
      local text = file:read("a")
      file:close()
      return parse(text, c.hexdec)
    end)
    if done then
      grants, version, refused = result, now, nil
    else
      refused = now
      print("the gate keeps the grants it has: " .. tostring(result))
    end
  end

  local reader = {}

  -- nil before there ever were any. Looked at once a second.
  function reader.current(now)
    if now ~= looked_at then
      looked_at = now
      read()
    end
    return grants
  end

  -- For somebody who has come in since: at once. Lighttpd may answer a second stat within a second from memory, so the
  -- head of the file itself is looked at.
  function reader.again()
    local file = io.open(path, "rb")
    local head = file and file:read(100) or ""
    if file then file:close() end
    local writing = head:match("\ntime\t%d+\t(%x+)\n")
    if writing and grants and writing ~= grants.writing then
      version = nil
      read()
    end
    return grants
  end

  return reader
end
