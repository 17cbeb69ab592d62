using Microsoft.Extensions.Logging;

namespace Couic.Http;

/// <summary>Why a request was refused, for the log, which limits the rate of each cause.</summary>
internal enum Refusal : byte
{
    None,
    Protocol,
    Route,
    Method,
    TokenMissing,
    TokenMalformed,
    TokenUnknown,
    TokenForbidden,
    TokenElsewhere,
    BadRequest,
    NotFound,
    Conflict,
    Invalid,
    TooLarge,
    RateLimited,
    Internal,
}

internal static class Refusals
{
    public static string Word(this Refusal refusal) => refusal switch
    {
        Refusal.Protocol => "malformed_http",
        Refusal.Route => "unknown_route",
        Refusal.Method => "method_not_allowed",
        Refusal.TokenMissing => "token_missing",
        Refusal.TokenMalformed => "token_malformed",
        Refusal.TokenUnknown => "token_unknown",
        Refusal.TokenForbidden => "permission_missing",
        Refusal.TokenElsewhere => "token_from_other_address",
        Refusal.NotFound => "not_found",
        Refusal.Conflict => "conflict",
        Refusal.Invalid => "invalid",
        Refusal.TooLarge => "body_too_large",
        Refusal.RateLimited => "rate_limited",
        Refusal.Internal => "internal",
        _ => "bad_request",
    };

    /// <summary>The cause that follows from a status alone.</summary>
    public static Refusal OfStatus(int status) => status switch
    {
        404 => Refusal.NotFound,
        405 => Refusal.Method,
        409 => Refusal.Conflict,
        413 => Refusal.TooLarge,
        422 => Refusal.Invalid,
        429 => Refusal.RateLimited,
        >= 500 => Refusal.Internal,
        _ => Refusal.BadRequest,
    };
}

/// <summary>Logs refused requests, a few per second and cause, and how many it suppressed. Thread-safe.</summary>
internal sealed class RefusalReport(ILogger log, TimeProvider time)
{
    /// <summary>Lines per second and cause: enough for a diagnosis, too few to fill a disk.</summary>
    private const int MaxPerSecond = 5;

    private readonly RateLimit[] _limits = [.. Enum.GetValues<Refusal>().Select(_ => new RateLimit())];

    public void Report(Response response, CallerId caller)
    {
        if (_limits[(int)response.Cause].TryTake(time, MaxPerSecond, out long suppressed))
        {
            HttpLog.RequestRefused(
                log, response.Cause.Word(), response.Status, response.Route?.Pattern ?? "-", response.Principal?.Name ?? "-", caller.ToString(), response.Message, HttpLog.More(suppressed));
        }
    }
}

/// <summary>At most so many events per second; counts the others. Thread-safe.</summary>
internal sealed class RateLimit
{
    private readonly Lock _gate = new();
    private long _second;
    private int _taken;
    private long _suppressed;

    public bool TryTake(TimeProvider time, int max, out long suppressed)
    {
        long second = time.GetTimestamp() / time.TimestampFrequency;
        lock (_gate)
        {
            _taken = second == _second ? _taken : 0;
            _second = second;
            suppressed = _suppressed;
            if (_taken >= max)
            {
                _suppressed++;
                return false;
            }

            _taken++;
            _suppressed = 0;
            return true;
        }
    }
}
