using System.Globalization;

namespace Couic.Daemon;

/// <summary>
/// What the privileged part of the start passes to the unprivileged daemon that replaces it: the numbers of inherited
/// descriptors, in one environment variable.
/// </summary>
/// <param name="Socket">The API's socket, bound, not listening.</param>
/// <param name="Attacher">The daemon's end of the channel to the attacher.</param>
/// <param name="Config">A memory file with the text of the configuration, which the user may not be able to read.</param>
/// <param name="Lock">The working folder, locked.</param>
/// <param name="Plane">What <c>BpfDataPlane</c> makes itself from.</param>
internal sealed record Handover(int Socket, int Attacher, int Config, int Lock, string Plane)
{
    public const string Variable = "COUIC_HANDOVER";

    public string Format() =>
        string.Create(CultureInfo.InvariantCulture, $"{Socket};{Attacher};{Config};{Lock};{Plane}");

    /// <summary>Null when this process was not handed anything.</summary>
    public static Handover? FromEnvironment()
    {
        string? text = Environment.GetEnvironmentVariable(Variable);
        string[] parts = text?.Split(';', 5) ?? [];
        return parts.Length == 5 ? new Handover(Number(parts[0]), Number(parts[1]), Number(parts[2]), Number(parts[3]), parts[4]) : null;

        static int Number(string part) => int.Parse(part, NumberStyles.None, CultureInfo.InvariantCulture);
    }
}
