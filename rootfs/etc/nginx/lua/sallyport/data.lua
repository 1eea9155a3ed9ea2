-- The items that the controller pushed, in memory that all workers share.
-- An item is never evicted: whatever does not fit is refused.

local cjson = require("cjson.safe")

local M = {}

local dict = ngx.shared.sallyport_data
local lost = 0 -- items of the data file that did not fit
local cycle    -- of this configuration: how many nginx has loaded before it

M.dict = dict

-- All generations have one width here, so that a new one takes the place of the
-- old one in memory and needs none of its own, however full the dictionary is.
local WIDTH = 64
local MOST_WORKERS = 64 -- for which memory is set aside

local function padded(generation)
    return ("%-" .. WIDTH .. "s"):format(generation)
end

local function is_item(key)
    return type(key) == "string" and key:find("^%l:") ~= nil
end

-- A value that changes its length is freed before the new one is stored, so a
-- full dictionary would lose both. Put the old one back into its own place.
local function replace(key, value)
    local old = dict:get(key)
    local ok, err = dict:safe_set(key, value)
    if not ok and old ~= nil then
        local kept, why = dict:safe_set(key, old)
        if not kept then
            ngx.log(ngx.ERR, "item ", key, " is lost: ", why)
        end
    end
    return ok, err
end

local function table_or_nil(value)
    if value == nil or value == cjson.null then
        return {}
    end
    if type(value) == "table" then
        return value
    end
end

-- parse returns what a push asks for, or nil and what is wrong with it.
-- Nothing is changed before all of it has been seen to be well-formed.
local function parse(text)
    local push, err = cjson.decode(text)
    if type(push) ~= "table" then
        return nil, err or "not an object"
    end
    local set, delete = table_or_nil(push.set), table_or_nil(push.delete)
    if not set or not delete then
        return nil, "set is not an object, or delete is not an array"
    end
    for key, value in pairs(set) do
        if not is_item(key) or type(value) ~= "string" then
            return nil, "set: bad key, or its value is not a string: " .. tostring(key)
        end
    end
    for _, key in pairs(delete) do
        if not is_item(key) then
            return nil, "delete: bad key: " .. tostring(key)
        end
    end
    return { set = set, delete = delete }
end

--- apply carries out the text of a push. It returns the new version; or nil,
-- an HTTP status and the reason.
function M.apply(text)
    local push, err = parse(text)
    if not push then
        return nil, 400, err
    end
    local full
    for key, value in pairs(push.set) do
        local ok, why = replace(key, value)
        if not ok then
            full = key .. ": " .. why
            break
        end
    end
    if not full then
        for _, key in pairs(push.delete) do
            dict:delete(key)
        end
    end
    local version = dict:incr("version", 1)
    if full then
        return nil, 507, full
    end
    return version
end

--- digests returns the md5 of each item's value, by its key.
function M.digests()
    local keys = {}
    for _, key in ipairs(dict:get_keys(0)) do
        if is_item(key) then
            local value = dict:get(key)
            if value ~= nil then
                keys[key] = ngx.md5(value)
            end
        end
    end
    return keys
end

--- status returns what GET /status answers. configured is how many workers this
-- worker's configuration has, lost the number of items of the data file that
-- did not fit when nginx started.
function M.status()
    local generation = dict:get("generation")
    local workers = 0
    for id = 0, ngx.worker.count() - 1 do
        if dict:get("worker:" .. id) == generation then
            workers = workers + 1
        end
    end
    return {
        generation = generation:match("^%S*"),
        version = dict:get("version"),
        workers = workers,
        configured = ngx.worker.count(),
        capacity = dict:capacity(),
        free = dict:free_space(),
        lost = lost,
    }
end

--- started tells all workers that one of a generation is there.
function M.started(generation)
    local value = padded(generation)
    local ok, err = dict:safe_set("worker:" .. ngx.worker.id(), value)
    if ok then
        ok, err = dict:safe_set("generation", value)
    end
    if not ok then
        ngx.log(ngx.ERR, "generation ", generation, " is not known to others: ", err)
    end
    dict:set("serving", cycle) -- a number: in its own place, as those below
    dict:set("leaving", -1)
    dict:incr("version", 1)
end

local function load(path)
    local file = io.open(path, "rb")
    if not file then
        return
    end
    local text = file:read("*a")
    file:close()
    local push, err = parse(text)
    if not push then
        error(path .. ": " .. err)
    end
    for key, value in pairs(push.set) do
        if not dict:safe_set(key, value) then
            lost = lost + 1
        end
    end
end

--- replaced says whether workers of a newer configuration have started.
function M.replaced()
    return dict:get("serving") > cycle
end

--- leave has all workers of this configuration end their connections, one
-- response each. Workers that start later do not know of it.
function M.leave()
    dict:set("leaving", cycle)
end

--- leaving says whether this worker is to do so.
function M.leaving()
    return dict:get("leaving") == cycle
end

--- init runs when a configuration is loaded. The first time, it fills the
-- dictionary from the data file, if there is one. The dictionary outlives a
-- reload.
function M.init(dir)
    if dict:get("version") then
        cycle = dict:incr("cycle", 1)
        return
    end
    cycle = 0
    -- First, so that a full dictionary has room for them.
    dict:set("version", 0)
    dict:set("cycle", cycle)
    dict:set("serving", cycle)
    dict:set("leaving", -1)
    dict:set("generation", padded(""))
    for id = 0, MOST_WORKERS - 1 do
        dict:set("worker:" .. id, padded(""))
    end
    load(dir .. "/private/data.json")
end

return M
