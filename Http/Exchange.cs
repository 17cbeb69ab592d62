using System.Buffers;
using System.Text;
using Couic.Http.Parsing;

namespace Couic.Http;

/// <summary>
/// One request and its answer, as a <see cref="Handler"/> sees them. Spans are good until the handler first waits; the
/// object is used again for the next request of the connection.
/// </summary>
internal sealed partial class Exchange
{
    private HttpConnection _connection;
    private readonly Slice[] _parameters = new Slice[Router.MaxParameters];
    private readonly OutputBuffer _decoded = new(Buffers.Small);
    private int _parameterCount;

    public Exchange(HttpConnection connection)
    {
        _connection = connection;
        Head = connection.Head;
    }

    internal RequestHead Head { get; private set; }

    /// <summary>The route that was found; null when there is none.</summary>
    public Route? Route { get; private set; }

    /// <summary>The client, as the endpoint's filter has identified it; null on routes without a filter.</summary>
    public IPrincipal? Principal { get; set; }

    /// <summary>The client's name for audit lines.</summary>
    public string ClientName => Principal?.Name ?? string.Empty;

    public Verb Verb => Head.Verb;

    public HttpLimits Limits => _connection.Limits;

    public Query Query => new(Head.Query.Of(_connection.Input.Request));

    /// <summary>A parameter of the path, decoded; valid UTF-8.</summary>
    public ReadOnlySpan<byte> Parameter(int index) =>
        _parameters[index].Of(_decoded.Length > 0 ? _decoded.Written : Head.Path.Of(_connection.Input.Request));

    public string ParameterText(int index) => Encoding.UTF8.GetString(Parameter(index));

    /// <summary>The value of a header field that the server itself does not know; the first one counts.</summary>
    public bool TryGetHeader(ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        foreach (Range range in Fields.Split("\r\n"u8))
        {
            ReadOnlySpan<byte> line = Fields[range];
            if (line.Length > name.Length && line[name.Length] == ':' && Grammar.Same(line[..name.Length], name))
            {
                value = Grammar.TrimBlanks(line[(name.Length + 1)..]);
                return true;
            }
        }

        value = default;
        return false;
    }

    /// <summary>The value of <c>Authorization</c>; false when the field is absent or repeated.</summary>
    public bool TryGetAuthorization(out ReadOnlySpan<byte> value)
    {
        value = Head.Authorization.Of(_connection.Input.Request);
        return Head.AuthorizationCount == 1;
    }

    private ReadOnlySpan<byte> Fields => Head.Fields.Of(_connection.Input.Request);

    /// <summary>
    /// Goes on on a pool thread, for what computes for long or waits for the disk: the event loop serves the other connections
    /// meanwhile. Holds for the rest of this request, also behind reads and writes. What <see cref="Body"/> gave before is invalid then.
    /// A few requests of each kind at a time, the others wait in their clients' lines. False: answered already, as it may not wait.
    /// </summary>
    public async ValueTask<bool> LeaveLoopAsync(Work work)
    {
        _connection.IsOffLoop = true;
        if (await _connection.EnterWorkAsync(work))
        {
            return true;
        }

        Refuse(ParseFault.NoRoom);
        return false;
    }

    /// <summary>Lets another request compute while this one waits; <see cref="LeaveLoopAsync(Work)"/> goes on.</summary>
    public void PauseWork() => _connection.LeaveWork();

    /// <summary>Whether it has computed for so long that it should let those in line go on.</summary>
    public bool ShouldPauseWork => _connection.HasWorkedLong;

    /// <summary>
    /// Waits in the client's line; what <see cref="Body"/> gave is invalid then. The turn is held until <see cref="LetGo"/>, and may be
    /// taken from a client that keeps others waiting. False: there is none, and nobody waits for the answer any more.
    /// </summary>
    public ValueTask<bool> WaitTurnAsync(Turns turns) => _connection.WaitTurnAsync(turns);

    /// <inheritdoc cref="WaitTurnAsync"/>
    public void LetGo() => _connection.LetGo();

    /// <summary>Lets others go on, and comes back on a pool thread.</summary>
    internal static async ValueTask YieldAsync() => await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);

    /// <summary>Makes it ready for the request in the connection's head.</summary>
    internal void Begin()
    {
        Route = null;
        Principal = null;
        _parameterCount = 0;
        _decoded.Clear();
        IsDeferred = false;
        ResetAnswer();
    }

    /// <summary>The checks in their order: route, method, filter, encoding of the path. Null: answered already.</summary>
    internal Endpoint? Check(Router router)
    {
        Route = router.Match(Head.Path.Of(_connection.Input.Request), _parameters, out _parameterCount);
        if (Route is null)
        {
            Fail(404, ErrorCode.NotFound, "no such route");
            return null;
        }

        Endpoint? endpoint = Route.Find(Verb);
        if (endpoint is null)
        {
            Fail(405, ErrorCode.BadRequest, "method not allowed on this route");
            AddHeader("allow"u8, Route.Allow);
            return null;
        }

        return (endpoint.Filter?.Admit(this) ?? true) && DecodeParameters() ? endpoint : null;
    }

    private bool DecodeParameters()
    {
        ReadOnlySpan<byte> path = Head.Path.Of(_connection.Input.Request);
        if (!path.Contains((byte)'%'))
        {
            return true; // visible ASCII, as the parser has seen
        }

        Span<byte> decoded = _decoded.GetSpan(path.Length);
        int end = 0;
        foreach (ref Slice parameter in _parameters.AsSpan(0, _parameterCount))
        {
            int length = Percent.Decode(parameter.Of(path), decoded[end..]);
            parameter = new Slice(end, length);
            end += length;
        }

        _decoded.Advance(end);

        for (int i = 0; i < _parameterCount; i++)
        {
            if (!System.Text.Unicode.Utf8.IsValid(Parameter(i)))
            {
                Fail(400, ErrorCode.BadRequest, "the path is not UTF-8 once decoded");
                return false;
            }
        }

        return true;
    }
}
