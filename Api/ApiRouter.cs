using Couic.Api.Access;
using Couic.Api.Endpoints;
using Couic.Api.Events;
using Couic.Http;
using Couic.Http.Parsing;
using Couic.Store;

namespace Couic.Api;

/// <summary>The routes of the API: most need a token of a client with a permission.</summary>
internal sealed class ApiRouter(ClientDirectory clients, TimeProvider time) : Router
{
    private readonly FailedTokens _failures = new(time);

    /// <summary>
    /// A router with all endpoints of this folder; others (peers) may add theirs before the server starts. Subscribes the events to the store.
    /// </summary>
    public static ApiRouter Create(ApiServices services)
    {
        var router = new ApiRouter(services.Clients, services.Time);
        services.Store.Subscribe(services.Events);
        new EntriesEndpoint(services).Register(router);
        new ListEndpoint(services).Register(router);
        new BulkEndpoint(services).Register(router);
        new TagRemovalEndpoint(services).Register(router);
        new StatsEndpoint(services).Register(router);
        new ClientsEndpoint(services).Register(router);
        new StatusEndpoint(services).Register(router);
        new EventsEndpoint(services.Events).Register(router);
        OpenApiEndpoint.Register(router);
        if (services is { SetFiles: { } files, Sets: { } loader })
        {
            new SetsEndpoint(services, files, loader).Register(router);
            loader.Reloaded = (actor, reload) =>
            {
                foreach (Policy policy in Policies.All)
                {
                    services.Events.SetsReloaded(policy, reload.Of(policy).Added, reload.Of(policy).Removed, actor);
                }
            };
        }

        return router;
    }

    /// <inheritdoc cref="Router.Map"/>
    /// <param name="permission">What the client's group must allow.</param>
    public void Map(Verb verb, string pattern, Permission permission, Handler handler, bool canBatch = false, bool ignoresBody = false) =>
        Map(verb, pattern, handler, new PermissionFilter(clients, permission, _failures), canBatch, ignoresBody);
}
