-- A worker that has been replaced → one that leaves without dropping requests.
--
-- nginx closes the idle connections of old workers 100 ms after it has started
-- the new ones: requests that are on their way are lost, and so are those of
-- clients that were not asked to leave in time, because the machine is busy or
-- the endpoint slow. So the worker does by itself, and earlier, what nginx
-- would have it do then, by the same functions of nginx: it stops listening,
-- and ends each connection with the response that is next. Only the closing of
-- idle connections comes later. nginx sees a worker that exits already, and
-- leaves it alone.

local ffi = require("ffi")
local data = require("sallyport.data")

local M = {}

-- How long clients have to send one more request, and learn that they should
-- leave. Long enough for a busy client on a busy machine; each reload has an
-- old worker stay for so long.
local GRACE_SECONDS = 1

-- How long a worker goes on after it was asked to leave: longer than the
-- controller waits before it has nginx quit (quit.go), so that nothing is left
-- unaccepted between the two.
local GOODBYE_SECONDS = 1.5

-- How often a worker looks whether it has been replaced. It looks at its first
-- request after that anyway; but there may be none in those 100 ms.
local CHECK_SECONDS = 0.04

ffi.cdef[[
typedef struct ngx_cycle_s ngx_cycle_t;
extern volatile ngx_cycle_t *ngx_cycle;
extern int ngx_exiting;
void ngx_close_listening_sockets(volatile ngx_cycle_t *cycle);
void ngx_close_idle_connections(volatile ngx_cycle_t *cycle);
void ngx_set_shutdown_timer(volatile ngx_cycle_t *cycle);
]]

local C = ffi.C
local begun = false

local function has_symbols()
    return C.ngx_cycle ~= nil and C.ngx_exiting ~= nil and C.ngx_close_listening_sockets ~= nil
        and C.ngx_close_idle_connections ~= nil and C.ngx_set_shutdown_timer ~= nil
end

local function close_idle()
    C.ngx_close_idle_connections(C.ngx_cycle)
end

local function leave(premature)
    if premature or ngx.worker.exiting() then
        return -- nginx was faster
    end
    -- First: nginx starts no timer in a worker that exits.
    local ok, err = ngx.timer.at(GRACE_SECONDS, close_idle)
    if not ok then
        ngx.log(ngx.WARN, "worker leaves as nginx has it: ", err)
        return
    end
    C.ngx_close_listening_sockets(C.ngx_cycle)
    C.ngx_exiting = 1
    C.ngx_set_shutdown_timer(C.ngx_cycle)
end

-- say_goodbye goes on serving, and ends each connection with the response that is
-- next, for nginx is about to quit: a client that is asked to leave loses nothing,
-- and one whose idle connection is closed may lose a request. New connections
-- are taken to the end, for a socket that nobody accepts from loses them.
local function say_goodbye(premature)
    if premature or ngx.worker.exiting() then
        return
    end
    local ok, err = ngx.timer.at(GOODBYE_SECONDS, function()
        C.ngx_close_listening_sockets(C.ngx_cycle)
        close_idle()
    end)
    if not ok then
        ngx.log(ngx.WARN, "worker leaves as nginx has it: ", err)
        return
    end
    C.ngx_exiting = 1
    C.ngx_set_shutdown_timer(C.ngx_cycle)
end

--- check lets this worker leave if it has been replaced, or is asked to. It may be called from
-- any request: the listening sockets are closed after the events at hand, not
-- in their midst.
function M.check()
    local replaced = data.replaced()
    if begun or not replaced and not data.leaving() then
        return
    end
    begun = true
    if not pcall(has_symbols) then
        return -- an nginx that does not export them: it does as it always did
    end
    local ok, err = ngx.timer.at(0, replaced and leave or say_goodbye)
    if not ok then
        ngx.log(ngx.WARN, "worker leaves as nginx has it: ", err)
    end
end

--- start runs in a worker.
function M.start()
    local ok, err = ngx.timer.every(CHECK_SECONDS, M.check)
    if not ok then
        ngx.log(ngx.WARN, "worker leaves as nginx has it, unless a request tells: ", err)
    end
end

return M
