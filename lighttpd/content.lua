-- The content origin: a host for each build, where that build's artifacts may run scripts and reach nothing else. Its
-- label is a keyed hash of the build's uuid, so a host is a build for good: what a report left in a reader's browser
-- under that host (a service worker, stored data) never meets another build, though an address may come to mean one.

local home = os.getenv("SITE_HOME") .. "/lighttpd/"
local shapes = dofile(home .. "shapes.lua")
local tree, keyfile = os.getenv("SITE_TREE"), os.getenv("SITE_CONTENT_KEYS")
-- "https://*.example.com", or empty: then there is no such origin.
local template = os.getenv("SITE_CONTENT_URL")
-- What may stand behind the label in a `Host`: ".example.com", ".example.com:443".
local suffixes = {}
for suffix in os.getenv("SITE_CONTENT_HOSTS"):gmatch("%S+") do suffixes[suffix] = true end

-- 160 bits in hexadecimal.
local label_length = 40
-- Everything that a report is made of is its own build's. `unsafe-eval` and inline scripts are what reports consist of;
-- what they cannot have is another origin, a page of ours around them, or a frame of theirs in one.
local policy = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; base-uri 'self'; form-action 'self'; "
  .. "frame-ancestors 'self'"
local powers = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), "
  .. "identity-credentials-get=(), idle-detection=(), local-fonts=(), magnetometer=(), microphone=(), midi=(), "
  .. "otp-credentials=(), payment=(), publickey-credentials-create=(), publickey-credentials-get=(), "
  .. "screen-wake-lock=(), serial=(), storage-access=(), usb=(), xr-spatial-tracking=()"

return function(lighty, files, answers)
  local r, c, stat = lighty.r, lighty.c, lighty.stat
  local response, attribute = r.resp_header, r.req_attr
  local content = { policy = policy }

  -- The keys, newest first: the first makes labels, the first two are believed. Looked at once a second; while a new
  -- file cannot be read, the last good keys stay.
  local keys, version, told, looked = nil, nil, nil, 0

  local function read_keys()
    local read = {}
    for line in io.lines(keyfile) do
      local hex = line:match("^%x+$")
      if hex and #hex == 64 and #read < 2 then read[#read + 1] = c.hexdec(hex) end
    end
    if #read == 0 then error("no key of 64 hexadecimal digits in " .. keyfile) end
    return read
  end

  local function live_keys()
    local now = c.time()
    if now == looked then return keys end
    looked = now
    local st = stat(keyfile)
    local seconds, nanoseconds = 0, 0
    if st then seconds, nanoseconds = st.st_mtim() end
    local found = st and st.st_ino .. ":" .. st.st_size .. ":" .. seconds .. ":" .. nanoseconds
    if keys and found == version then return keys end
    local done, read = pcall(read_keys)
    if done then
      keys, version, told = read, found, nil
    elseif told ~= (found or "absent") then
      told = found or "absent"
      print("the content origin's keys cannot be read: " .. tostring(read))
    end
    return keys
  end

  -- The record moves with the bytes that it tells of, so this is the build whose bytes lie here. The id comes before
  -- anything that could hold another one, and no text in JSON holds a bare quote.
  local function uuid_of(build)
    local file = io.open(tree .. build .. "/build.json", "rb")
    if not file then return nil end
    local head = file:read(4096)
    file:close()
    return head and head:match('"id":"(%x+%-%x+%-%x+%-%x+%-%x+)"')
  end

  local function label(key, uuid)
    return c.hmac("sha256", key, "kitemirror content\n" .. uuid):sub(1, label_length):lower()
  end

  -- The label of a `Host` that has the form of a content host, else nil.
  function content.label_of(authority)
    local found = authority:sub(1, label_length)
    if not suffixes[authority:sub(label_length + 1)] or not found:find("^[0-9a-f]+$") then return nil end
    return found
  end

  -- Whether the host with this label may show what lies at this path. All that a content host sends has passed it.
  local function may_show(host_label, path)
    if not shapes.is_artifact(path) then return false end
    local uuid = uuid_of((shapes.build_of(path)))
    if not uuid then return false end
    local shown = false
    for _, key in ipairs(live_keys() or {}) do
      if c.digest_eq(label(key, uuid), host_label) then shown = true end
    end
    return shown
  end

  local function complete(status)
    if status >= 400 then return status end
    response["Cross-Origin-Opener-Policy"] = "same-origin"
    response["Origin-Agent-Cluster"] = "?1"
    response["Permissions-Policy"] = powers
    response["X-DNS-Prefetch-Control"] = "off"
    return status
  end

  -- A wrong label, a missing build and a missing file are one answer. `send`: sends an artifact by its address.
  function content.answer(host_label, path, method, send)
    if method ~= "GET" and method ~= "HEAD" then return answers.refuse_method("GET, HEAD") end
    if not may_show(host_label, path) then return answers.absent() end
    if path:byte(-1) == 47 then
      return complete(files.send(tree .. path .. "index.html", policy, nil) or answers.absent())
    end
    local status = send(path, policy)
    if status then return complete(status) end
    return files.is_file(tree .. path .. "/index.html") and answers.add_slash() or answers.absent()
  end

  -- Whether there is such an origin, and this is an address that leads there.
  function content.offers(path)
    return template ~= "" and shapes.is_artifact(path)
  end

  -- `?open` at an artifact's address on the mirror's own host: the way to the same file on its build's host. nil where
  -- there is no such origin, or no such build: the address then means what it means without the question.
  function content.entry(path)
    if not content.offers(path) then return nil end
    local uuid = uuid_of((shapes.build_of(path)))
    local read = uuid and live_keys()
    if not read then return nil end
    local origin = template:gsub("%*", label(read[1], uuid))
    return answers.redirect(302, origin .. attribute["uri.path-raw"] .. answers.query_without("open"))
  end

  return content
end
