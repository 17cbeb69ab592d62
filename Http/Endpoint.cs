using Couic.Http.Parsing;

namespace Couic.Http;

/// <summary>
/// Handles one request: reads what it needs from the exchange and leaves its answer there. Runs on the event loop until it
/// first waits, so what takes long or touches the disk begins with <see cref="Exchange.OffloadAsync"/>.
/// </summary>
internal delegate ValueTask Handler(Exchange exchange);

/// <summary>The other end of requests, as a filter has identified it.</summary>
public interface IPrincipal
{
    /// <summary>Names it in the log; its requests share a queue.</summary>
    string Name { get; }
}

/// <summary>Decides whether a request reaches its handler.</summary>
internal interface IRequestFilter
{
    /// <summary>Sets <see cref="Exchange.Principal"/>. Returns false when the request is refused; the exchange then has the answer.</summary>
    bool Admit(Exchange exchange);
}

/// <summary>One method of a route.</summary>
/// <param name="Filter">Null: every request is admitted.</param>
/// <param name="CanBatch">Whether it may leave its request to a batch, so that it need not wait for the requests before it.</param>
/// <param name="IgnoresBody">Whether it changes something and reads no body; it runs once the whole request has arrived.</param>
internal sealed record Endpoint(Verb Verb, Handler Handler, IRequestFilter? Filter, bool CanBatch, bool IgnoresBody);

/// <summary>One path of the API and its methods.</summary>
internal sealed class Route(string pattern)
{
    private readonly List<Endpoint> _endpoints = [];

    /// <summary>As it was registered, such as <c>/v1/{policy}/{ip}/{prefix}</c>.</summary>
    public string Pattern { get; } = pattern;

    public IReadOnlyList<Endpoint> Endpoints => _endpoints;

    /// <summary>The value of <c>Allow</c>: the methods of the route, with commas and no spaces.</summary>
    public byte[] Allow { get; private set; } = [];

    /// <summary>The endpoint of a method, HEAD being that of GET; null when there is none.</summary>
    public Endpoint? Find(Verb verb)
    {
        verb = verb == Verb.Head ? Verb.Get : verb;
        foreach (Endpoint endpoint in _endpoints)
        {
            if (endpoint.Verb == verb)
            {
                return endpoint;
            }
        }

        return null;
    }

    public void Add(Endpoint endpoint)
    {
        if (endpoint.Verb is Verb.Head or Verb.Other || Find(endpoint.Verb) is not null)
        {
            throw new ArgumentException($"add endpoint \"{endpoint.Verb} {Pattern}\": it exists already, or its method cannot be routed");
        }

        _endpoints.Add(endpoint);
        var words = new List<string>();
        foreach (Verb verb in (ReadOnlySpan<Verb>)[Verb.Get, Verb.Post, Verb.Put, Verb.Delete])
        {
            if (Find(verb) is not null)
            {
                words.Add(verb == Verb.Get ? "GET,HEAD" : verb.ToString().ToUpperInvariant());
            }
        }

        Allow = System.Text.Encoding.ASCII.GetBytes(string.Join(',', words));
    }
}
