-- The data plane: nginx.conf calls these functions, by the global "sallyport".
-- Nothing here may know what a controller or a cluster is.

local M = {}

--- init runs in the master, at its start and at each reload, and in nginx -t.
-- options.dir: the work folder; options.unavailable: the address that answers
-- 503; options.names: the access log shows $proxy_upstream_name;
-- options.limits: requests or connections are counted;
-- options.reject_handshake: no TLS for hosts that are not known;
-- options.tracing: how spans are sampled, and how many are kept for the collector;
-- options.metrics: histogram bounds {time, length, size}, or nil.
function M.init(options)
    local data = require("sallyport.data")
    local balancer = require("sallyport.balancer")
    local certificate = require("sallyport.certificate")
    local control = require("sallyport.control")
    local errors = require("sallyport.feature.errors")
    local phases = require("sallyport.phases")
    local retire = require("sallyport.retire")

    data.init(options.dir)
    balancer.init(options.unavailable, options.names)
    certificate.init(options.reject_handshake)
    phases.init()
    if options.tracing then
        local spans = require("sallyport.spans")
        spans.init(options.tracing)
        control.spans = spans.told() and spans.take or nil
    end

    M.balance = balancer.balance
    M.mirror = balancer.mirror
    M.certificate = certificate.certificate
    M.host_certificate = certificate.host_certificate
    M.control = control.control
    M.rewrite = phases.rewrite
    M.access = phases.access
    M.header = phases.header
    M.errors = errors.rewrite
    M.error_status = errors.status

    local release
    if options.limits then
        release = require("sallyport.feature.limit").release
        M.log = release
    end

    local requests
    if options.metrics then
        requests = require("sallyport.requests")
        requests.init(options.metrics)
        M.log = requests.log
        if release then
            function M.log()
                release()
                requests.log()
            end
        end
        M.exit = requests.flush_at_exit
        control.requests = requests.rows
    end

    --- finish is log for a location whose route has steps in that phase.
    function M.finish()
        phases.log()
        if release then
            release()
        end
        if requests then
            requests.log()
        end
    end

    --- worker runs once in each worker that starts.
    function M.worker(generation)
        balancer.start()
        retire.start()
        if requests then
            requests.start()
        end
        -- Last: whoever sees the new generation may count on this worker.
        data.started(generation)
    end

    sallyport = M
    -- What a decoded data file leaves behind would be copied into each worker.
    collectgarbage()
end

return M
