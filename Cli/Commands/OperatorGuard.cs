using System.Text;
using Couic.Cli.Api;
using Couic.Cli.Values;
using Couic.CommandLine;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary>
/// Refuses a drop that would cut off the operator: a whole address family, or the address of the operator's session, unless it
/// is ignored.
/// </summary>
internal sealed class OperatorGuard
{
    private readonly ApiClient _api;
    private readonly bool _isActive;
    private readonly string _origin;
    private readonly Dictionary<Cidr, bool> _operators = [];

    /// <param name="isActive">False with <c>--force</c>, and for ignore, which cannot lock out.</param>
    public OperatorGuard(Invocation invocation, ApiClient api, bool isActive)
    {
        _api = api;
        _isActive = isActive;
        bool isLocal = api.Endpoint.Socket is not null;
        _origin = isLocal ? "from which this session was opened" : "from which couicctl reaches that daemon";
        if (!isActive)
        {
            return;
        }

        // For a remote daemon the address of this machine matters, not the origin of the session on it.
        IEnumerable<Cidr?> found = isLocal ? [SessionAddress((invocation.Context.SessionOrigin ?? SessionOrigin.Find)())] : api.OwnAddresses().Select(a => Address(a.ToString()));
        foreach (Cidr address in found.OfType<Cidr>())
        {
            _operators[address] = true;
        }
    }

    /// <summary>The protected addresses, for a change whose networks only the daemon knows.</summary>
    public IEnumerable<string> OperatorParameters => _operators.Keys.Select(address => $"operator={Uri.EscapeDataString(address.AddressText())}");

    /// <summary>Why the network must not be dropped; null if it may.</summary>
    public string? Objection(Cidr cidr) => Objection(cidr, Forced(cidr));

    /// <param name="forced">How to override the refusal.</param>
    public string? Objection(Cidr cidr, string forced)
    {
        if (!_isActive)
        {
            return null;
        }

        if (cidr.Length == 0)
        {
            return EverythingObjection(cidr, forced);
        }

        foreach (Cidr address in _operators.Keys)
        {
            if (cidr.Network.Contains(address) && !IsIgnored(address))
            {
                string text = address.AddressText();
                return $"dropping {cidr.Network} would cut off {text}, {_origin} (first \"couicctl ignore add {text}\", or {forced})";
            }
        }

        return null;
    }

    /// <summary>The refusal for a whole address family.</summary>
    public static string EverythingObjection(Cidr cidr) => EverythingObjection(cidr, Forced(cidr));

    private static string EverythingObjection(Cidr cidr, string forced) =>
        $"dropping {cidr.Network} cuts this machine off from every {(cidr.Family == IpFamily.V4 ? "IPv4" : "IPv6")} address ({forced} if you mean it)";

    private static string Forced(Cidr cidr) => $"\"couicctl drop add {cidr.Network} --force\"";

    private bool IsIgnored(Cidr address)
    {
        // Asked once: an ignored address needs no further check.
        if (_operators[address] && AskIsIgnored(address))
        {
            _operators[address] = false;
        }

        return !_operators[address];
    }

    private bool AskIsIgnored(Cidr address)
    {
        bool found = false;
        try
        {
            _api.Stream(HttpMethod.Get, $"{EntryPath.Of(Policy.Ignore)}?match={address.AddressText()}", null, stream =>
                JsonArrayReader.ForEach(stream, json => found |= EntryLine.Parse(json).Cidr.Network.Contains(address)));
        }
        catch (CliException)
        {
            // A client that may not read ignore still needs the guard.
        }

        return found;
    }

    /// <summary>The first field of SSH_CONNECTION.</summary>
    private static Cidr? SessionAddress(string? connection) => Address((connection ?? "").Split(' ')[0]);

    /// <summary>Parses an address without its zone, and a mapped address as IPv4.</summary>
    private static Cidr? Address(string text)
    {
        text = text.Split('%')[0];
        text = text.StartsWith("::ffff:", StringComparison.OrdinalIgnoreCase) && text.Contains('.', StringComparison.Ordinal) ? text[7..] : text;
        return Cidr.TryParseAddress(Encoding.UTF8.GetBytes(text), out Cidr address) ? address : null;
    }
}

/// <summary>Options and queries of the daemon's lock-out guard: every change asks it to refuse, unless forced.</summary>
internal static class GuardOptions
{
    public static readonly OptionSpec Force = new("force", '\0', null, "Override the lock-out guard");

    /// <summary>The query of a change: <paramref name="parts"/> and the guard's mode, which also asks for notes on entries that cover it.</summary>
    public static string GuardedQuery(this Invocation invocation, params IEnumerable<string?> parts)
    {
        IEnumerable<string> all = parts.OfType<string>().Append(invocation.Has(Force.Long) ? "force=true" : "guard=refuse");
        return "?" + string.Join('&', all);
    }

    /// <summary>Reports the daemon's warnings.</summary>
    public static ApiAnswer Noted(this Invocation invocation, ApiAnswer answer)
    {
        foreach (string warning in answer.Warnings)
        {
            invocation.Note(Printable.Escape(warning));
        }

        return answer;
    }
}
