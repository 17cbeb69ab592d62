namespace Couic.Http;

/// <summary>Every limit of the server, each with its unit in its name or type and its source. Immutable.</summary>
public sealed record HttpLimits
{
    public static readonly HttpLimits Default = new();

    /// <summary>Method, target and version. RFC 9112 §3 recommends room for at least 8,000; nginx reads 8 KiB.</summary>
    public int MaxRequestLineBytes { get; init; } = 8 * 1024;

    /// <summary>Fields of a header or trailer section. Kestrel and Apache: 100.</summary>
    public int MaxHeaderFields { get; init; } = 100;

    /// <summary>All header fields, line ends included. Kestrel and nginx: 32 KiB.</summary>
    public int MaxHeaderBytes { get; init; } = 32 * 1024;

    /// <summary>A body that is read as a whole.</summary>
    public int MaxBodyBytes { get; init; } = 8 * 1024 * 1024;

    /// <summary>The body of a set: the largest set file with room for its JSON.</summary>
    public int MaxSetBodyBytes { get; init; } = 18 * 1024 * 1024;

    /// <summary>One item of a streamed body; it has to be held as a whole.</summary>
    public int MaxItemBytes { get; init; } = 256 * 1024;

    /// <summary>Framing of one chunk: its size with extensions, which are ignored.</summary>
    public int MaxChunkLineBytes { get; init; } = 1024;

    /// <summary>From the acceptance of a connection to the end of its TLS handshake. nginx: 60 s.</summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>From a connection's first byte (or from its acceptance) to a complete header section.</summary>
    public TimeSpan HeaderTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Between two requests. nginx: 75 s.</summary>
    public TimeSpan KeepAliveTimeout { get; init; } = TimeSpan.FromSeconds(75);

    /// <summary>How long a body or a response may stand still before its rate counts. Kestrel: 5 s.</summary>
    public TimeSpan RateGrace { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Slowest body, after the grace. Kestrel's 240 is for modems; a local socket is faster.</summary>
    public int MinBodyBytesPerSecond { get; init; } = 4 * 1024;

    /// <summary>Slowest reader of a response, after the grace.</summary>
    public int MinAnswerBytesPerSecond { get; init; } = 16 * 1024;

    /// <summary>How long the reader of an endless response may take nothing while something is to be sent.</summary>
    public TimeSpan StreamStallTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>An unread rest of a body up to this size is dropped, and the connection stays open.</summary>
    public int MaxDrainBytes { get; init; } = 64 * 1024;

    /// <summary>How long a connection is read after its last response, so that a client that still sends receives it. nginx: 5 s.</summary>
    public TimeSpan LingerTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Open connections; above it the longest-idle one is evicted.</summary>
    public int MaxConnections { get; init; } = 12_000;

    /// <summary>Open connections of one address of the network, of IPv6 of one /64; above it new ones are closed.</summary>
    public int MaxConnectionsPerAddress { get; init; } = 1_000;

    /// <summary>Memory of all connections that wait in the middle of a request, in a queue or for a slow reader.</summary>
    public int MaxParkedBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>Bodies above <see cref="LargeBodyBytes"/> that are in memory at a time; others are queued, and wait a second at most for a slow sender.</summary>
    public int MaxLargeBodies { get; init; } = 2;

    /// <summary>From here on a body counts as large.</summary>
    public int LargeBodyBytes { get; init; } = 64 * 1024;

    /// <summary>Long lists that are sorted and streamed at a time; others are queued, and wait a second at most for a slow reader.</summary>
    public int MaxListings { get; init; } = 2;
}
