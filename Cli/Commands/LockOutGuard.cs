using System.Text;
using Couic.Cli.Api;
using Couic.Cli.Syntax;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary>
/// Objects to a drop that would cut off the operator who asks for it: everything of a family, or the address that the
/// session was opened from, unless that is ignored.
/// </summary>
internal sealed class LockOutGuard
{
    private readonly ApiClient _api;
    private readonly bool _isActive;
    private readonly Cidr? _operator;
    private bool? _operatorIsIgnored;

    /// <param name="isActive">False with <c>--force</c>, and for ignore, which cuts nobody off.</param>
    public LockOutGuard(Invocation invocation, ApiClient api, bool isActive)
    {
        _api = api;
        _isActive = isActive;

        // Behind a remote daemon is another machine; where this one was logged in from does not matter there.
        _operator = isActive && api.Endpoint.Socket is not null ? Address(invocation.Context.SessionOrigin()) : null;
    }

    /// <summary>Null when the network may be dropped, else why not.</summary>
    public string? Objection(Cidr cidr)
    {
        if (!_isActive)
        {
            return null;
        }

        if (cidr.Length == 0)
        {
            return EverythingObjection(cidr);
        }

        return _operator is { } address && cidr.Network.Contains(address) && !IsIgnored(address)
            ? $"dropping {cidr.Network} would cut off {address.AddressText()}, from which this session was opened (first \"couicctl ignore add {address.AddressText()}\", or {Forced(cidr)})"
            : null;
    }

    /// <summary>Why a whole family is not dropped.</summary>
    public static string EverythingObjection(Cidr cidr) =>
        $"dropping {cidr.Network} cuts this machine off from every {(cidr.Family == IpFamily.V4 ? "IPv4" : "IPv6")} address ({Forced(cidr)} if you mean it)";

    private static string Forced(Cidr cidr) => $"\"couicctl drop add {cidr.Network} --force\"";

    private bool IsIgnored(Cidr address) => _operatorIsIgnored ??= AskIsIgnored(address);

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

    /// <summary>The first word of SSH_CONNECTION, without a zone, and as IPv4 where it is that.</summary>
    private static Cidr? Address(string? connection)
    {
        string text = (connection ?? "").Split(' ')[0].Split('%')[0];
        text = text.StartsWith("::ffff:", StringComparison.OrdinalIgnoreCase) && text.Contains('.', StringComparison.Ordinal) ? text[7..] : text;
        return Cidr.TryParseAddress(Encoding.UTF8.GetBytes(text), out Cidr address) ? address : null;
    }
}
