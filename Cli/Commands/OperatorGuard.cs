using System.Text;
using Couic.Cli.Api;
using Couic.Cli.Syntax;
using Couic.Cli.Values;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary>
/// Objects to a drop that would cut off the operator who asks for it: everything of a family, or the address that the
/// session was opened from, unless that is ignored.
/// </summary>
internal sealed class OperatorGuard
{
    private readonly ApiClient _api;
    private readonly bool _isActive;
    private readonly string _origin;
    private readonly Dictionary<Cidr, bool> _operators = [];

    /// <param name="isActive">False with <c>--force</c>, and for ignore, which cuts nobody off.</param>
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

        // A remote daemon is on another machine: where this one was logged in from does not matter there, its own address does.
        IEnumerable<Cidr?> found = isLocal ? [SessionAddress(invocation.Context.SessionOrigin())] : api.OwnAddresses().Select(a => Address(a.ToString()));
        foreach (Cidr address in found.OfType<Cidr>())
        {
            _operators[address] = true;
        }
    }

    /// <summary>The addresses that must not be dropped, for a change whose networks only the daemon knows.</summary>
    public IEnumerable<string> OperatorParameters => _operators.Keys.Select(address => $"operator={Uri.EscapeDataString(address.AddressText())}");

    /// <summary>Null when the network may be dropped, else why not.</summary>
    public string? Objection(Cidr cidr) => Objection(cidr, Forced(cidr));

    /// <param name="forced">How to do it nevertheless.</param>
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

    /// <summary>Why a whole family is not dropped.</summary>
    public static string EverythingObjection(Cidr cidr) => EverythingObjection(cidr, Forced(cidr));

    private static string EverythingObjection(Cidr cidr, string forced) =>
        $"dropping {cidr.Network} cuts this machine off from every {(cidr.Family == IpFamily.V4 ? "IPv4" : "IPv6")} address ({forced} if you mean it)";

    private static string Forced(Cidr cidr) => $"\"couicctl drop add {cidr.Network} --force\"";

    private bool IsIgnored(Cidr address)
    {
        // Asked once; an address that is ignored is no concern any more.
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
            // Who may not look may still have to be kept from locking himself out.
        }

        return found;
    }

    /// <summary>The first word of SSH_CONNECTION.</summary>
    private static Cidr? SessionAddress(string? connection) => Address((connection ?? "").Split(' ')[0]);

    /// <summary>Without a zone, and as IPv4 where it is that.</summary>
    private static Cidr? Address(string text)
    {
        text = text.Split('%')[0];
        text = text.StartsWith("::ffff:", StringComparison.OrdinalIgnoreCase) && text.Contains('.', StringComparison.Ordinal) ? text[7..] : text;
        return Cidr.TryParseAddress(Encoding.UTF8.GetBytes(text), out Cidr address) ? address : null;
    }
}

/// <summary>What every change has to do with the daemon's guard against lock-outs: it is asked to refuse, unless forced.</summary>
internal static class GuardOptions
{
    public static readonly OptionSpec Force = new("force", '\0', null, "Do it even where that may lock you out");

    /// <summary>The query of a change: <paramref name="parts"/>, and what is asked of the guard.</summary>
    public static string GuardedQuery(this Invocation invocation, params IEnumerable<string?> parts)
    {
        IEnumerable<string> all = parts.OfType<string>().Append(invocation.Has(Force.Long) ? "force=true" : "guard=refuse");
        return "?" + string.Join('&', all);
    }

    /// <summary>Shows what the daemon warns of.</summary>
    public static ApiAnswer Noted(this Invocation invocation, ApiAnswer answer)
    {
        foreach (string warning in answer.Warnings)
        {
            invocation.Context.Error.WriteLine($"{CouicctlMain.Name}: note: {Printable.Escape(warning)}");
        }

        return answer;
    }
}
