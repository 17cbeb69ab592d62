using System.Net;

namespace Couic.Demo;

/// <summary>A packet of the demonstration and its expected verdict.</summary>
/// <param name="Why">The rule that decides, for display.</param>
internal sealed record DemoPacket(string Source, bool Passes, string Why, ushort Vlan = 0)
{
    public byte[] Build() => DemoFrame.Udp(IPAddress.Parse(Source), Vlan);

    public string Label => Vlan == 0 ? Source : $"{Source} (VLAN {Vlan})";
}
