-- From where what may be asked, and how much at once: by the reader's address, before anything else is looked at.

local home = os.getenv("SITE_HOME") .. "/lighttpd/"
local bits_of = dofile(home .. "decide.lua").bits
local published_file = os.getenv("SITE_WEBHOOK_SENDERS")
local most = tonumber(os.getenv("SITE_CONNECTIONS"))
-- A front on this machine that we are not told of connects for everybody.
local here = { ["127.0.0.1"] = true, ["::1"] = true }

-- "4" or "6", then the bits that all addresses of the range begin with.
local function prefix_of(range)
  local address, length = range:match("^([%x.:]+)/(%d+)$")
  local bits = address and bits_of(address)
  return bits and bits:sub(1, 1 + tonumber(length))
end

-- nil: from anywhere.
local function prefixes_in(name)
  local text = os.getenv(name)
  if text == "any" then return nil end
  local found = {}
  for range in text:gmatch("%S+") do found[#found + 1] = prefix_of(range) or error(name .. " has what is no range") end
  return found
end
local proxies = prefixes_in("SITE_PROXY_RANGES")
local webhooks, ci, api = prefixes_in("SITE_WEBHOOK_RANGES"), prefixes_in("SITE_CI_RANGES"), prefixes_in("SITE_API_RANGES")

local function is_within(prefixes, address)
  local bits = bits_of(address)
  for i = 1, bits and #prefixes or 0 do
    if bits:sub(1, #prefixes[i]) == prefixes[i] then return true end
  end
  return false
end

-- "203.0.113.7:4711" → "203.0.113.7", "[2001:db8::1]:4711" → "2001:db8::1"; an address alone is itself. nil: neither.
local function without_port(hop)
  local plain = hop:match("^%s*(.-)%s*$")
  return plain:match("^(%d+%.%d+%.%d+%.%d+):%d+$") or plain:match("^%[([%x:.]+)%]$") or plain:match("^%[([%x:.]+)%]:%d+$")
    or plain:match("^[%x:.]+$")
end

return function(lighty)
  local r, c, server, attribute = lighty.r, lighty.c, lighty.server, lighty.r.req_attr
  local reach = {}

  local function call(address)
    attribute["request.remote-addr"] = address
  end

  -- Some proxies write the reader's port as well. mod_extforward takes that for no address, and the proxy for the reader.
  -- nil where nobody is told.
  local function told_with_port()
    if not is_within(proxies, attribute["request.remote-addr"]) then return nil end
    local hops = {}
    for hop in (r.req_header["X-Forwarded-For"] or ""):gmatch("[^,]+") do hops[#hops + 1] = hop end
    for i = #hops, 1, -1 do
      local address = without_port(hops[i])
      if not address then return nil end
      if not is_within(proxies, address) then return address end
    end
    return nil
  end

  -- What is not an address after all, Lighttpd does not take: then the reader is the proxy.
  local function find_reader()
    local address = told_with_port()
    -- Lighttpd would take the next request on this connection for the same reader's.
    if address and pcall(call, address) then r.req_item.keep_alive = 0 end
  end
  reach.find_reader = #proxies > 0 and find_reader or nil

  -- A list that is cut short or has what is no range in it leaves the one before in force. nil: there never was one.
  local published, looked_at = nil, 0

  local function read_published()
    local file = io.open(published_file, "rb")
    local text = file and file:read("a") or ""
    if file then file:close() end
    local lines = text:match("^kitemirror%-webhook%-senders 1\n(.*)end\n$")
    if not lines then return end
    local found = {}
    for range in lines:gmatch("[^\n]+") do
      found[#found + 1] = prefix_of(range)
      if not found[1] then return end
    end
    if #found > 0 then published = found end
  end

  -- Until Buildkite's list was read once, only the signature tells: rather that than to hear nothing.
  function reach.may_deliver()
    if not webhooks then return true end
    local address = attribute["request.remote-addr"]
    if is_within(webhooks, address) then return true end
    if published_file == "" then return false end
    local now = c.time()
    if now ~= looked_at then
      looked_at = now
      read_published()
    end
    return published == nil or is_within(published, address)
  end

  function reach.may_exchange()
    return not ci or is_within(ci, attribute["request.remote-addr"])
  end

  function reach.may_ask_api()
    return not api or is_within(api, attribute["request.remote-addr"])
  end

  -- Counted once a second: which addresses have more connections to this process than one may have.
  local crowd, counted_at = nil, 0

  local function count()
    local counts, over = {}, nil
    for request in server.irequests() do
      local address = request.req_attr["request.remote-addr"]
      if address and not here[address] then
        local known = (counts[address] or 0) + 1
        counts[address] = known
        if known > most then
          over = over or {}
          over[address] = true
        end
      end
    end
    return over
  end

  local function is_crowded(now)
    if now ~= counted_at then counted_at, crowd = now, count() end
    return crowd ~= nil and crowd[attribute["request.remote-addr"]] == true
  end
  reach.is_crowded = most and is_crowded or nil

  return reach
end
