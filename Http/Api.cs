using Couic.Http.Endpoints;
using Couic.Http.Routing;

namespace Couic.Http;

/// <summary>Puts the API together.</summary>
internal static class Api
{
    /// <summary>A router with all endpoints of this folder; others (peers) may add theirs before the server starts.</summary>
    public static Router CreateRouter(ApiServices services)
    {
        var router = new Router();
        new EntriesEndpoint(services).Register(router);
        new ListEndpoint(services).Register(router);
        new BulkEndpoint(services).Register(router);
        new TagRemovalEndpoint(services).Register(router);
        new StatsEndpoint(services).Register(router);
        new ClientsEndpoint(services).Register(router);
        new StatusEndpoint(services).Register(router);
        OpenApiEndpoint.Register(router);
        if (services is { SetFiles: { } files, Sets: { } loader })
        {
            new SetsEndpoint(services, files, loader).Register(router);
        }

        return router;
    }

    /// <summary>A server for that router.</summary>
    public static HttpServer CreateServer(ApiServices services, Router router) =>
        new(services.Limits, router, services.Clients, services.Time, services.Log, services.Counters);
}
