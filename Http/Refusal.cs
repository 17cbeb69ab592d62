namespace Couic.Http;

/// <summary>Why a request was refused, as far as the log tells it apart; each has its own share of the log.</summary>
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
    BadRequest,
    NotFound,
    Conflict,
    Invalid,
    TooLarge,
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
        Refusal.NotFound => "not_found",
        Refusal.Conflict => "conflict",
        Refusal.Invalid => "invalid",
        Refusal.TooLarge => "body_too_large",
        Refusal.Internal => "internal",
        _ => "bad_request",
    };

    /// <summary>What a status says when nothing more is known.</summary>
    public static Refusal OfStatus(int status) => status switch
    {
        404 => Refusal.NotFound,
        405 => Refusal.Method,
        409 => Refusal.Conflict,
        413 => Refusal.TooLarge,
        422 => Refusal.Invalid,
        >= 500 => Refusal.Internal,
        _ => Refusal.BadRequest,
    };
}
