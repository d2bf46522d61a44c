-- Answers that are no files: JSON errors, redirects. Used by both hooks; each call returns the status to end with.

-- What a page of ours may do: src/pages/layout.ts says the same, and why.
local policy = "default-src 'none'; script-src %s; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
  .. "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

return function(lighty)
  local r, c = lighty.r, lighty.c
  local request, response, attribute, environment = r.req_header, r.resp_header, r.req_attr, r.req_env
  -- Of the request that is being answered: `query` is "" where it has none, `now` is whole seconds.
  local answers, policies = { id = "", method = "", now = 0, query = "" }, {}

  -- Remembered for the host that asked last: a site has one, or two.
  function answers.page_policy()
    local host = attribute["uri.authority"] or ""
    if not policies[host] then
      local can_name = host:match("^[%w_.-]+$") or host:match("^[%w_.-]+:%d+$")
      policies = { [host] = policy:format(can_name and host .. "/-/assets/" or "'self'") }
    end
    return policies[host]
  end

  -- Unique, not secret: some random digits and a count, the same in the answer, the access log and the back end's log.
  -- Its parts are ready-made, because formatting a number costs more than all the rest of a small answer.
  local digits, prefix, head, count = {}, "", "", 0
  for i = 0, 4095 do digits[i] = string.format("%03x", i) end

  function answers.new_id()
    count = (count + 1) & 0xffffff
    if count == 1 then prefix = string.format("%08x%08x", c.time() & 0xffffffff, c.rand() & 0xffffffff) end
    local last = count & 4095
    if last < 2 then head = prefix .. digits[count >> 12] end
    local id = head .. digits[last]
    answers.id = id
    return id
  end

  -- Headers that every answer of ours has, beside those that lighttpd.conf gives to all.
  function answers.mark(cache)
    response["X-Request-Id"] = answers.id
    response["Cache-Control"] = cache
  end

  -- The messages are constants of this folder: nothing of a request is repeated in them, so nothing needs escaping.
  -- The fault is noted where no client can write: Lighttpd 1.4.83 and 1.4.84 put their own page in the place of this
  -- one, and the other hook then says it again.
  function answers.fail(status, code, message)
    environment["FAULT"] = code .. "|" .. message .. "|" .. (response["Allow"] or "")
      .. "|" .. (response["Content-Range"] or "") .. "|" .. answers.id
    response["ETag"] = nil
    response["Last-Modified"] = nil
    response["Content-Security-Policy"] = nil
    response["Content-Type"] = "application/json; charset=utf-8"
    answers.mark("no-store")
    r.resp_body.set('{"error":"' .. code .. '","message":"' .. message .. '","id":"' .. answers.id .. '"}\n')
    return status
  end

  function answers.broken()
    return answers.fail(500, "ERR_INTERNAL", "the server failed; its log says why")
  end

  function answers.absent()
    return answers.fail(404, "ERR_NOT_FOUND", "there is nothing at this address")
  end

  function answers.refuse_method(allowed)
    response["Allow"] = allowed
    return answers.fail(405, "ERR_METHOD_NOT_ALLOWED", "this address answers to " .. allowed .. " only")
  end

  function answers.redirect(status, location)
    response["Location"] = location
    answers.mark("no-store")
    return status
  end

  -- Whether the query has a parameter of this name.
  function answers.is_asked(name)
    local query = answers.query
    return query ~= "" and ("&" .. query .. "&"):find("&" .. name .. "[=&]") ~= nil
  end

  -- The query as it was sent, with its question mark, less the parameters of these names; "" where nothing is left.
  function answers.query_without(...)
    local without, left = {}, {}
    for _, name in ipairs({ ... }) do without[name] = true end
    for part in answers.query:gmatch("[^&]+") do
      if not without[part:match("^[^=]*")] then left[#left + 1] = part end
    end
    return #left == 0 and "" or "?" .. table.concat(left, "&")
  end

  -- A folder's address has a slash at its end, or relative links would lead astray.
  function answers.add_slash()
    return answers.redirect(301, attribute["uri.path-raw"] .. "/" .. answers.query_without())
  end

  function answers.text(body)
    request["Range"] = nil
    response["Content-Type"] = "text/plain; charset=utf-8"
    answers.mark("no-store")
    r.resp_body.set(body)
    return 200
  end

  -- These two go into the access log as they are, and a line of it must be JSON. Most come again and again.
  local clean_agent, clean_referer

  -- The value if it may stay as it is.
  local function clean(name, value)
    if utf8.len(value) then return value end
    request[name] = c.urlenc(value)
    return nil
  end

  -- Of a query's parameters the log has every name, and the values of these alone: links and codes are secrets.
  local shown = {
    after = true, base = true, before = true, branch = true, limit = true, list = true, page = true, sort = true, state = true,
  }

  local function loggable(query)
    local parts = {}
    for part in query:gmatch("[^&]+") do
      local name = part:match("^[^=]*")
      local hidden = not shown[name] or #part > 300 or name == "state" and not part:match("^state=[a-z_]*$")
      parts[#parts + 1] = hidden and name or part
    end
    return table.concat(parts, "&")
  end

  -- Takes the query as well.
  function answers.clean_for_log()
    local query, from, agent = attribute["uri.query"] or "", request["Referer"], request["User-Agent"]
    answers.query = query
    if query ~= "" then environment["QUERY"] = loggable(query) end
    if from and from:find("[?#]") then
      from = from:match("^[^?#]*")
      request["Referer"] = from
    end
    if agent and agent ~= clean_agent then clean_agent = clean("User-Agent", agent) end
    if from and from ~= clean_referer then clean_referer = clean("Referer", from) end
  end

  -- Once for each request. Whatever is read from Lighttpd costs as much as a dozen lines of ours: what more than one of
  -- us asks for is read here.
  function answers.begin(method)
    answers.method, answers.now = method, c.time()
    answers.new_id()
    answers.clean_for_log()
  end

  return answers
end
