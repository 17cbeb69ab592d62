using Couic.Api.Access;
using Couic.Http;
using Couic.Store;

namespace Couic.Api.Endpoints;

/// <summary>Parameters of paths; their faults are added to the exchange, and answered with 400.</summary>
internal static class PathReader
{
    public static Policy Policy(Exchange exchange, int index)
    {
        if (!Policies.TryParse(exchange.Parameter(index), out Policy policy))
        {
            exchange.AddFault("policy", "unknown policy; \"drop\" or \"ignore\" is expected");
        }

        return policy;
    }

    public static string Name(Exchange exchange, int index)
    {
        if (NameRule.Fault(exchange.Parameter(index)) is not { } fault)
        {
            return exchange.ParameterText(index);
        }

        exchange.AddFault("name", fault);
        return string.Empty;
    }

    /// <summary>Address and prefix length, in two parameters.</summary>
    public static Cidr Cidr(Exchange exchange, int address, int prefix)
    {
        bool isAddress = Store.Cidr.TryParseAddress(exchange.Parameter(address), out Cidr host);
        if (!isAddress)
        {
            exchange.AddFault("ip", "not an IPv4 or IPv6 address");
        }

        int max = isAddress ? host.MaxLength : 128;
        CidrFault fault = Store.Cidr.TryParseLength(exchange.Parameter(prefix), max, out int length);
        if (fault != CidrFault.None)
        {
            exchange.AddFault("prefix", fault.Explain());
            return default;
        }

        return isAddress ? host.WithLength(length) : default;
    }

    /// <summary>Answers 400 when there were faults.</summary>
    public static bool Failed(Exchange exchange) => exchange.FailIfFaults(400, ErrorCode.BadRequest);
}
