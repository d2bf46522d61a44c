-- What a back end or Lighttpd itself answered: the headers that every answer has, and JSON instead of Lighttpd's own
-- error pages.

local home = os.getenv("SITE_HOME") .. "/lighttpd/"

local too_long = { "ERR_REQUEST_MALFORMED", "the head of the request is longer than 16 KiB" }
local faults = {
  [403] = { "ERR_NOT_FOUND", "there is nothing at this address" },
  [404] = { "ERR_NOT_FOUND", "there is nothing at this address" },
  [411] = { "ERR_REQUEST_MALFORMED", "how long the body is has to be told, by Content-Length or in chunks" },
  [413] = { "ERR_REQUEST_TOO_LARGE", "the request's body is larger than this address takes" },
  [414] = too_long,
  [431] = too_long,
  [500] = { "ERR_INTERNAL", "the server failed; its log says why" },
  [501] = { "ERR_METHOD_NOT_ALLOWED", "this method is not known here" },
  [502] = { "ERR_BACKEND_UNAVAILABLE", "the part that answers this address did not answer properly" },
  [503] = { "ERR_BACKEND_UNAVAILABLE", "the part that answers this address is not running or starting" },
  [504] = { "ERR_BACKEND_UNAVAILABLE", "the part that answers this address did not answer in time" },
  [505] = { "ERR_REQUEST_MALFORMED", "this version of HTTP is not spoken here" },
}
local everywhere = {
  ["X-Content-Type-Options"] = "nosniff",
  ["Referrer-Policy"] = "no-referrer",
  ["Cross-Origin-Resource-Policy"] = "same-origin",
  ["Strict-Transport-Security"] = os.getenv("SITE_HSTS"),
}
local malformed = { "ERR_REQUEST_MALFORMED", "the request is not well-formed HTTP, or its address is none of this site" }

return function(lighty)
  local r, c = lighty.r, lighty.c
  local request, response, attribute, environment = r.req_header, r.resp_header, r.req_attr, r.req_env
  local answers = dofile(home .. "answers.lua")(lighty)

  -- Lighttpd's error page has no header but this one, without a charset; a back end's always has one.
  local function is_lighttpds(status)
    return status >= 400 and response["Content-Type"] == "text/html"
  end

  -- A request that was refused as it was read has not been through the gate, and was not given what lighttpd.conf gives to
  -- all; its headers may say anything.
  local function clean_refused()
    for name, value in pairs(everywhere) do response[name] = value end
    answers.clean_for_log()
    local target = attribute["request.uri"]
    if target and not utf8.len(target) then attribute["request.uri"] = c.urlenc(target) end
  end

  -- What the gate said, when its answer did not survive.
  local function say_again(status, said)
    local code, message, allowed, range, id = said:match("^(.-)|(.-)|(.-)|(.-)|(.*)$")
    answers.id = id
    if allowed ~= "" then response["Allow"] = allowed end
    if range ~= "" then response["Content-Range"] = range end
    return answers.fail(status, code, message)
  end

  local function fault(status)
    clean_refused()
    local code, message = table.unpack(faults[status] or (status < 500 and malformed or faults[500]))
    if status == 413 and (attribute["uri.path"] or ""):find("^/%-/webhooks/") then code = "ERR_DELIVERY_TOO_LARGE" end
    if status >= 502 and status <= 504 then response["Retry-After"] = "2" end
    return answers.fail(status, code, message)
  end

  -- How the gateway decided about its reader: for the log, and for nobody else.
  local function take_decision()
    local said = response["X-Kitemirror-Decision"]
    if not said then return end
    response["X-Kitemirror-Decision"] = nil
    local decision, reason = said:match("^(%l+) ?(.*)$")
    environment["DECISION"] = decision
    if reason and reason ~= "" then environment["REASON"] = reason end
  end

  local function answer()
    local to = environment["TO"]
    if response["X-Request-Id"] and not to then return 0 end
    local status, said = r.req_item.http_status, environment["FAULT"]
    answers.id = to and request["X-Request-Id"] or answers.new_id()
    if is_lighttpds(status) then
      if said then return say_again(status, said) end
      if environment["ABSENT"] then return answers.absent() end
      -- Of a back end that went away in the middle Lighttpd says 500, as if the fault were its own.
      return fault(to and status == 500 and 502 or status)
    end
    if to then take_decision() end
    -- Ranges are of files; a back end that gives parts has done so already.
    request["Range"] = nil
    answers.mark(status < 400 and response["Cache-Control"] or "no-store")
    if not response["Content-Security-Policy"] then response["Content-Security-Policy"] = answers.page_policy() end
    return 0
  end

  return { lighty = lighty, answer = answer }
end
