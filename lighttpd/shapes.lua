-- What an address means by its shape alone, never by what lies on the disk. A file is sent only where its address has
-- the shape of a public one: records, views, markers and pointers share folders with public files.

local shapes = {}

local build = "^(/[^/]+/[^/]+/builds/%d+)/(.+)$"

-- The build's own address, and the rest behind it; nil where it is none of a build.
function shapes.build_of(path)
  return path:match(build)
end

-- Of a job's own files: the job's address with a slash, and the name behind it.
function shapes.job_of(path)
  local at, file = path:match("^/[^/]+/[^/]+/builds/%d+/jobs/[^/]+/()(.+)$")
  if not at then return nil end
  return path:sub(1, at - 1), file
end

-- An artifact, or a folder of artifacts, at any of its addresses. Their names are upstream's.
function shapes.is_artifact(path)
  local _, rest = path:match(build)
  if not rest then return false end
  return rest:find("^artifacts/") ~= nil or rest:find("^steps/[^/]+/artifacts/") ~= nil
    or rest:find("^jobs/[^/]+/artifacts/") ~= nil or rest:find("^jobs/[^/]+/artifacts%-by%-id/[^/]+/[^/]+$") ~= nil
end

-- A build or a job, whose address shows a page of its own and no listing.
function shapes.has_page(path)
  local rest = path:match("^/[^/]+/[^/]+/builds/%d+/(.*)$")
  return rest == "" or rest ~= nil and rest:find("^jobs/[^/]+/$") ~= nil
end

-- Records and logs.
local records = { ["build.json"] = true, ["upstream.json"] = true }
local of_job = { ["job.json"] = true, ["log.txt"] = true, ["SHA256SUMS"] = true }

function shapes.is_record(path)
  local _, file = shapes.job_of(path)
  if file then return of_job[file] == true end
  local _, rest = path:match(build)
  return records[rest] == true
end

return shapes
