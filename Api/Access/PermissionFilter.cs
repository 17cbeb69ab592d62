using Couic.Http;
using Couic.Http.Parsing;

namespace Couic.Api.Access;

/// <summary>Admits requests with the token of a client whose group has a permission; all others are answered with 401.</summary>
internal sealed class PermissionFilter(ClientDirectory clients, Permission permission, FailedTokens failures) : IRequestFilter
{
    public Permission Permission => permission;

    public bool Admit(Exchange exchange)
    {
        Refusal cause = Refusal.TokenMissing;
        if (exchange.TryGetAuthorization(out ReadOnlySpan<byte> value))
        {
            Client? client = null;
            AuthOutcome outcome = IsBearer(value) ? clients.Authenticate(value["Bearer "u8.Length..], permission, out client) : AuthOutcome.Malformed;
            exchange.Principal = client; // also of a refused request: the log names the client, the answer is the same for all
            if (outcome == AuthOutcome.Ok && client?.Rails is { From.Count: > 0 } rails && exchange.RemoteAddress is { } address && !rails.AllowsFrom(address))
            {
                outcome = AuthOutcome.Elsewhere;
            }

            if (outcome == AuthOutcome.Ok)
            {
                return true;
            }

            cause = outcome switch
            {
                AuthOutcome.Unknown => Refusal.TokenUnknown,
                AuthOutcome.Elsewhere => Refusal.TokenElsewhere,
                AuthOutcome.Forbidden => Refusal.TokenForbidden,
                _ => Refusal.TokenMalformed,
            };
        }

        Refuse(exchange, cause);
        if (exchange.RemoteAddress is not null && cause is Refusal.TokenUnknown or Refusal.TokenMalformed)
        {
            exchange.AnswerLate(failures.Add(exchange.Caller));
        }

        return false;
    }

    public static void Refuse(Exchange exchange, Refusal cause)
    {
        exchange.Fail(401, ErrorCode.Unauthorized, "a valid token of a client with this permission is needed: Authorization: Bearer TOKEN", cause);
        exchange.AddHeader("www-authenticate"u8, "Bearer"u8);
    }

    /// <summary>RFC 9110 §11.1: the scheme in any case; nearly all write it as here.</summary>
    private static bool IsBearer(ReadOnlySpan<byte> value) =>
        value.StartsWith("Bearer "u8) || (value.Length > "Bearer "u8.Length && Grammar.Same(value[.."Bearer "u8.Length], "bearer "u8));
}

/// <summary>What the filter leaves in an exchange.</summary>
internal static class ExchangeAccess
{
    /// <summary>Whose token it is; only on routes that need one.</summary>
    public static Client Client(this Exchange exchange) => (Client)exchange.Principal!;

    /// <summary>Answers 401 where the permission depends on more than the route.</summary>
    public static void FailForbidden(this Exchange exchange) => PermissionFilter.Refuse(exchange, Refusal.TokenForbidden);
}
