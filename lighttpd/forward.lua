-- Hands a request to a back end. lighttpd.conf reads which from a header that no client can set.

-- What a client may not tell a back end: these are ours to say.
local private = { ["x-request-id"] = true, ["forwarded"] = true, ["x-real-ip"] = true, ["x-host"] = true }

return function(lighty, answers)
  local r = lighty.r
  local request, attribute, environment = r.req_header, r.req_attr, r.req_env
  local forwarding = {}

  -- Names are compared as a back end might: case and "_" do not matter.
  local function drop_private()
    local dropped = {}
    for name in pairs(request) do
      local plain = name:lower():gsub("_", "-")
      if private[plain] or plain:find("^x%-kitemirror") or plain:find("^x%-forwarded") then
        dropped[#dropped + 1] = name
      end
    end
    for i = 1, #dropped do request[dropped[i]] = nil end
  end

  -- The hook that completes a back end's answer does not run at addresses of files (lighttpd.conf says why), and which
  -- hooks run is settled before the gate has. So such a request begins once more at an address of its own, which means
  -- nothing where a client asks for it, and is then handed over, and logged, as it was sent.
  local function detour()
    environment["TARGET"] = attribute["request.uri"]
    attribute["request.uri"] = "/-/detour"
    return lighty.RESTART_REQUEST
  end

  function forwarding.is_detour()
    return environment["TARGET"] ~= nil
  end

  -- The path stays what it is: to set it would settle the hooks anew.
  function forwarding.resume()
    local target = environment["TARGET"]
    attribute["request.uri"] = target
    attribute["uri.query"] = target:match("?([^#]*)") or ""
    return 0
  end

  function forwarding.to(back_end)
    drop_private()
    request["X-Request-Id"] = answers.id
    -- Lighttpd tells a back end who connected; behind a trusted proxy the reader is somebody else.
    request["X-Kitemirror-Address"] = attribute["request.remote-addr"]
    request["X-Kitemirror-To"] = back_end
    environment["TO"] = back_end
    return attribute["uri.path"]:find("^/[^/]+/[^/]+/builds/%d+/.*[^/]$") and detour() or 0
  end

  -- To be told why nothing is here; without a gateway there is nothing here all the same.
  function forwarding.for_absent()
    environment["ABSENT"] = "1"
    return forwarding.to("gateway")
  end

  return forwarding
end
