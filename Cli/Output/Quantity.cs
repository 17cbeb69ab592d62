using System.Globalization;

namespace Couic.Cli.Output;

/// <summary>Numbers for people: grouped, or short with a decimal unit.</summary>
internal static class Quantity
{
    private static readonly string[] Units = ["", "k", "M", "G", "T", "P", "E"];

    /// <summary><c>1,234,567</c>.</summary>
    public static string Grouped(ulong value) => value.ToString("#,0", CultureInfo.InvariantCulture);

    /// <summary>At most three digits and a decimal unit: <c>999</c>, <c>1.23k</c>, <c>45.6M</c>.</summary>
    public static string Short(double value)
    {
        int unit = 0;
        while (value >= 999.5 && unit < Units.Length - 1)
        {
            value /= 1000;
            unit++;
        }

        string format = unit == 0 || value >= 99.95 ? "0" : value >= 9.995 ? "0.0" : "0.00";
        return value.ToString(format, CultureInfo.InvariantCulture) + Units[unit];
    }

    /// <summary>Bytes in powers of 1024: <c>512 B</c>, <c>79.5 MiB</c>.</summary>
    public static string Bytes(ulong bytes)
    {
        double value = bytes;
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        int unit = 0;
        while (value >= 1023.95 && unit < units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        return value.ToString(unit == 0 ? "0" : "0.0", CultureInfo.InvariantCulture) + " " + units[unit];
    }
}
