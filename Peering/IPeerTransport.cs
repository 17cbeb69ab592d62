using Couic.Store;

namespace Couic.Peering;

/// <summary>
/// Carries requests to peers: HTTP in the daemon, a random network on virtual time in the simulator. Calls back from any
/// thread, never from inside a call to it.
/// </summary>
internal interface IPeerTransport
{
    /// <summary>Sends a request; <see cref="PeerRequest.Done"/> is called exactly once.</summary>
    void Post(PeerRequest request);

    /// <summary>
    /// Calls back once, as soon as the peer can be reached: at once, or within a quarter of a second of the path being
    /// there again. The argument says whether it was out of reach meanwhile.
    /// </summary>
    void AwaitReachable(PeerSettings peer, Action<bool> reachable);

    /// <summary>The peer's settings are gone or changed: connections to it are closed and its waiting ends.</summary>
    void Forget(PeerSettings peer);
}

internal enum PeerVerb : byte
{
    /// <summary><c>POST /v1/{policy}/peer</c>: jobs.</summary>
    Jobs,

    /// <summary><c>POST /v1/{policy}/peer/sync</c>: a <see cref="SyncMessage"/>.</summary>
    Sync,
}

internal sealed record PeerRequest(
    PeerSettings Peer, Policy Policy, PeerVerb Verb, ReadOnlyMemory<byte> Body, Action<PeerAnswer> Done);

internal enum PeerFailure : byte
{
    None,

    /// <summary>No connection, or it broke: tried again as soon as the peer can be reached.</summary>
    Unreachable,

    /// <summary>Connected, yet no whole answer within the time limit.</summary>
    TimedOut,

    /// <summary>The peer's certificate or name could not be verified, or the handshake failed.</summary>
    Tls,

    /// <summary>What it answered is not HTTP, too large, or makes no sense.</summary>
    Garbage,

    /// <summary>A status that refuses the request.</summary>
    Refused,
}

/// <param name="Detail">The cause in words, for the log; null where there is none.</param>
internal readonly record struct PeerAnswer(PeerFailure Failure, int Status, ReadOnlyMemory<byte> Body, string? Detail = null)
{
    /// <summary>A page for browsers, which couic never answers with.</summary>
    public bool IsHypertext => Body.Span.TrimStart(" \t\r\n"u8) is [(byte)'<', ..];

    public bool IsSuccess => Failure == PeerFailure.None && Status is >= 200 and < 300;
}
